"""Live sessions at 25 frames a second through bridges and Triton: how many at once until their frames come late."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path

from benchmarks.bridge_alone import LIVE_OPTIONS
from benchmarks.gpu.crew import Crew, shares
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.repository import write_repository
from benchmarks.gpu.settings import Settings
from benchmarks.live import LiveStep
from benchmarks.machine import usable_cores
from benchmarks.speakers import LAST_LIMIT_S, MICROPHONE, START_LIMIT_S, Heard, speak
from benchmarks.triton import running_bridge, running_triton

__all__ = ["measure", "merged", "next_sessions", "speak_at"]

STRATEGY = "hybrid"
NOT_OURS = ("avatar", "feed", "vectors a batch")
CLOSE_ENOUGH = 8
"""The number is found to one part in so many."""

CORES_PER_BRIDGE, CORES_PER_SPEAKER = 3, 5


def measure(settings: Settings, findings: Findings, backend: str) -> None:
    """Try sessions at once until the number that is carried is known, or the time is over.

    A bridge is one process, which a core limits, so there are several, as there would be for that many viewers.

    Raises:
        BenchmarkError: If a session is refused or ends.
        EmbeddedError: If Triton does not start.
    """
    repository = write_repository(settings, findings, backend)
    bridges = max(1, usable_cores() // CORES_PER_BRIDGE)
    with Crew(min(bridges, max(1, usable_cores() // CORES_PER_SPEAKER))) as crew:
        asyncio.run(_measure(settings, findings, repository, backend, bridges, crew))


async def _measure(
    settings: Settings, findings: Findings, repository: Path, backend: str, bridges: int, crew: Crew
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        triton = await stack.enter_async_context(running_triton(repository, STRATEGY))
        ports = [
            (await stack.enter_async_context(running_bridge(triton.grpc_url, *LIVE_OPTIONS))).port
            for _ in range(bridges)
        ]
        # has each bridge's silent pictures painted
        await _speak(crew, settings, dict.fromkeys(ports, 1), seconds=1.0)
        carried: dict[int, bool] = {}
        while (count := next_sessions(carried, *settings.sessions)) is not None:
            if findings.left_s < 2 * settings.utterance_s + LAST_LIMIT_S:
                findings.note("live", f"No time was left for {count} sessions.")
                return
            sessions = dict(zip(ports, shares(count, len(ports)), strict=False))
            heard = await _speak(crew, settings, sessions, settings.utterance_s)
            step = LiveStep(MICROPHONE, count, heard, 0, 0)
            carried[count] = step.is_carried
            seen = {key: cell for key, cell in step.row(settings.avatar).items() if key not in NOT_OURS}
            findings.row("live", backend=backend, bridges=len(sessions), **seen)


def next_sessions(carried: Mapping[int, bool], first: int, most: int) -> int | None:
    """Return how many sessions to try next, None once it is known well enough how many are carried.

    Args:
        carried: What was tried, and whether it was carried.
        first: To begin with.
        most: To try at all.
    """
    if not carried:
        return min(first, most)
    good = max((count for count, well in carried.items() if well), default=0)
    bad = min((count for count, well in carried.items() if not well), default=most + 1)
    if good + 1 >= bad:
        return None
    if bad > most:
        return min(2 * good, most)
    return (good + bad) // 2 if bad - good > max(1, bad // CLOSE_ENOUGH) else None


def merged(heard: list[Heard]) -> Heard:
    """Return what several processes' clients saw as one."""
    whole = Heard()
    for part in heard:
        whole.expected += part.expected
        whole.pictures += part.pictures
        whole.late_ms += part.late_ms
        whole.first_ms += part.first_ms
        whole.behind_ms += part.behind_ms
    return whole


async def speak_at(sessions: dict[int, int], avatar: str, seconds: float) -> Heard:
    """Speak in this process for ``seconds`` with so many sessions at each bridge's port.

    Raises:
        LoadFailed: If a session is refused or ends.
    """
    talks = (speak(port, avatar, count, MICROPHONE, seconds, 1) for port, count in sessions.items())
    return merged(list(await asyncio.gather(*talks)))


async def _speak(crew: Crew, settings: Settings, sessions: dict[int, int], seconds: float) -> Heard:
    """Divide bridges among the processes of the crew, and have all speak at the same time."""
    parts = [dict(list(sessions.items())[index :: crew.size]) for index in range(crew.size)]
    jobs = [
        (speak_at, {"sessions": part, "avatar": settings.avatar, "seconds": seconds})
        for part in parts
        if part
    ]
    limit_s = START_LIMIT_S + 2 * seconds + LAST_LIMIT_S
    return merged(await asyncio.to_thread(crew.ask, jobs, limit_s))
