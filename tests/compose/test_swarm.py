"""`docker stack deploy` serves from several replicas, and replaces them under load without a failed frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.compose.player import playing
from tests.compose.stack import Stack, free_port
from tests.compose.swarm import SwarmStack, swarm_of_one

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def swarm(built: Stack, say: Callable[[str], None]) -> Iterator[SwarmStack]:
    """Two Tritons and a bridge in a Swarm of this node; an engine that is not ours is not made a Swarm's."""
    if not built.engine.own:
        pytest.skip("the engine that runs is somebody's, and would become a Swarm's node")
    stack = SwarmStack(built.engine, "lipsync-swarm", free_port(), free_port())
    with swarm_of_one(built.engine):
        start_s = time.monotonic()
        try:
            stack.deploy()
            stack.wait_for_upstreams(2)
            say(f"two Tritons and the bridge in a Swarm after {time.monotonic() - start_s:.1f} s")
            yield stack
        except AssertionError:
            say(stack.logs())
            raise
        finally:
            stack.remove()


def test_no_frame_fails_in_a_rolling_update(swarm: SwarmStack, say: Callable[[str], None]) -> None:
    """Both Tritons are replaced, one after another, while somebody watches: every frame is answered."""
    before = swarm.tasks("triton")
    start_s = time.monotonic()
    with playing(f"ws://127.0.0.1:{swarm.port}/ws") as player:
        player.wait_for(60)
        assert swarm.update("triton") == "completed"
        swarm.wait_for_upstreams(2)
        player.wait_for(60)
    took_s = time.monotonic() - start_s
    say(
        f"{player.played} frames played, {len(player.failed)} failed, both Tritons replaced in {took_s:.1f} s"
    )
    assert player.failed == []
    after = swarm.tasks("triton")
    assert len(after) == 2
    assert before & after == set()
