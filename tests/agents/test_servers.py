"""The servers that the adapters' tests share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lipsync_client import ServerUnavailable, connect_speech
from tests.agents.conftest import AVATAR, Running


async def test_a_session_begins(bridge: Running) -> None:
    """The real bridge, from an environment that does not have it, begins a session with the demo avatar."""
    async with connect_speech(bridge.url, AVATAR) as session:
        assert session.started.avatar == AVATAR


async def test_a_bridge_that_is_killed_is_gone(start_bridge: Callable[..., Running]) -> None:
    """A bridge of a test's own dies at once when told so."""
    own = start_bridge()
    own.kill()
    with pytest.raises(ServerUnavailable):
        async with connect_speech(own.url, AVATAR):
            pass
