"""Live speech on the real bridge and Triton: how soon and how punctually pictures come, and to how many sessions."""

from __future__ import annotations

import asyncio
import functools
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.bridge_alone import LIVE_OPTIONS
from benchmarks.errors import LoadFailed
from benchmarks.site import FRAMES, Site
from benchmarks.speakers import Feed, Heard, speak
from benchmarks.statistics import Latencies, percentile
from benchmarks.table import Row
from benchmarks.triton import DEADLINE_S, GrpcCaller, running_bridge, running_triton
from bridge.balancer import Balancer
from bridge.config import BridgeConfig
from bridge.errors import BridgeError
from bridge.live.models import LiveModels
from speech.contract import AUDIO_WINDOW, FEATURE_SIZE

__all__ = ["STRATEGY", "Live", "LiveStep", "measure_live", "more_and_more", "most_carried"]

STRATEGY = "batching"
"""Sessions share batches where the network takes them; on a CPU it computes row by row either way."""

MOST_SKIPPED = 0.01
MOST_LATE_MS = 200.0
CALLERS = 16
SEED = 7


@dataclass(frozen=True)
class LiveStep:
    """So many sessions at once.

    Attributes:
        feed: How their sound came in.
        sessions: How many.
        heard: What their clients saw.
        vectors: That Triton computed.
        executions: In how many batches.
    """

    feed: Feed
    sessions: int
    heard: Heard
    vectors: int
    executions: int

    @property
    def is_carried(self) -> bool:
        """Whether at most 1 % of the pictures were skipped, and 95 % of the others at most 0.2 s late."""
        if self.heard.skipped > MOST_SKIPPED * self.heard.expected:
            return False
        return percentile(self.heard.late_ms, 0.95) <= MOST_LATE_MS

    def row(self, avatar: str) -> Row:
        """Return the step's row."""
        heard = self.heard
        return {
            "avatar": avatar,
            "feed": self.feed.name,
            "sessions": self.sessions,
            "pictures": heard.pictures,
            "skipped": heard.skipped,
            **_columns("first picture", heard.first_ms),
            **_columns("late", heard.late_ms),
            "vectors a batch": self.vectors / self.executions if self.executions else 0.0,
            "client p95_ms behind": percentile(heard.behind_ms, 0.95),
            "carried": "yes" if self.is_carried else "no",
        }


@dataclass(frozen=True)
class Live:
    """What one avatar gives.

    Attributes:
        avatar: Which.
        pictures_per_s: That Triton paints of it, asked without pause.
        steps: Sessions at once, by feed, as they were tried.
    """

    avatar: str
    pictures_per_s: float
    steps: tuple[LiveStep, ...]

    def rows(self) -> list[Row]:
        """Return a row per step."""
        return [step.row(self.avatar) for step in self.steps]


async def measure_live(
    site: Site, avatar: str, feeds: Sequence[Feed], seconds: float, utterances: int, most: int
) -> Live:
    """Try sessions at once, more and more of them, up to ``most``, with each feed.

    Args:
        site: Where the avatar is.
        avatar: One that can be spoken to.
        feeds: How sound comes in.
        seconds: Of each utterance.
        utterances: Of each session.
        most: Sessions at once.

    Raises:
        LoadFailed: If a session is refused or ends.
    """
    async with (
        running_triton(site.model_repository, STRATEGY) as triton,
        running_bridge(triton.grpc_url, *LIVE_OPTIONS) as bridge,
    ):
        rate = await _pictures_per_s(triton.grpc_url, avatar, seconds * utterances)
        await speak(bridge.port, avatar, 1, feeds[0], seconds, 1)  # has the silent pictures painted
        with GrpcCaller(triton.grpc_url, avatar, itertools.count()) as caller:

            async def try_out(feed: Feed, sessions: int) -> LiveStep:
                before = _encoded(caller, avatar)
                heard = await speak(bridge.port, avatar, sessions, feed, seconds, utterances)
                after = _encoded(caller, avatar)
                return LiveStep(feed, sessions, heard, after[0] - before[0], after[1] - before[1])

            steps = [
                step for feed in feeds async for step in more_and_more(functools.partial(try_out, feed), most)
            ]
    return Live(avatar, rate, tuple(steps))


async def more_and_more(try_out: Callable[[int], Awaitable[LiveStep]], most: int) -> AsyncIterator[LiveStep]:
    """Try 1, 2, 4 … sessions until they are not carried or ``most`` are, then halve the gap; yield each step."""
    good, bad, sessions = 0, most + 1, 1
    while good + 1 < bad:
        step = await try_out(sessions)
        yield step
        good, bad = (sessions, bad) if step.is_carried else (good, sessions)
        sessions = min(2 * good, most) if bad > most else (good + bad) // 2


def most_carried(steps: Sequence[LiveStep], feed: Feed) -> int:
    """Return the most sessions that were carried with a feed; 0 if none were."""
    return max((step.sessions for step in steps if step.feed == feed and step.is_carried), default=0)


async def _pictures_per_s(url: str, avatar: str, duration_s: float) -> float:
    """Paint without pause, several pictures at a time, each of a window of its own; return how many a second."""
    windows = np.random.default_rng(SEED).normal(size=(FRAMES, AUDIO_WINDOW, FEATURE_SIZE)).astype(np.float32)
    numbers = itertools.count()
    async with Balancer(BridgeConfig(upstreams=(url,))) as balancer:
        models = LiveModels(balancer, DEADLINE_S)
        start_s = time.perf_counter()

        async def paint() -> int:
            painted = 0
            while time.perf_counter() - start_s < duration_s:
                number = next(numbers) % FRAMES
                await models.paint(avatar, number, windows[number])
                painted += 1
            return painted

        try:
            painted = sum(await asyncio.gather(*(paint() for _ in range(CALLERS))))
        except BridgeError as exc:
            raise LoadFailed(f"'{avatar}_live'", str(exc)) from exc
        return painted / (time.perf_counter() - start_s)


def _encoded(caller: GrpcCaller, avatar: str) -> tuple[int, int]:
    """Return how many vectors Triton has computed, and in how many executions."""
    found = caller.statistics(f"{avatar}_speech")
    return found.inference_count, found.execution_count


def _columns(name: str, values_ms: Sequence[float]) -> Row:
    names = [f"{name} {share}_ms" for share in ("p50", "p95", "p99")]
    if not values_ms:
        return dict.fromkeys(names, "")
    found = Latencies.of(values_ms)
    return dict(zip(names, (found.p50_ms, found.p95_ms, found.p99_ms), strict=True))
