"""One fault under observation: a steady state, the fault, and how long until everything is as before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tests.faults.report import Line
from tests.faults.viewers import Frame, Viewer

__all__ = ["Observation", "always"]

CALM_FRAMES = 20
CALM_S = 3.0
"""For how many frames of each viewer all must be on time before an observation ends, and for how long at most."""

ON_TIME_S = 0.1
"""A frame that takes longer is late, where the steady state has none that is as late."""

POLL_S = 0.05

Condition = Callable[[], Awaitable[bool]]


async def always() -> bool:
    """Say that nothing is left to be repaired."""
    return True


class Observation:
    """Viewers on whom faults are tried, one after another.

    Args:
        viewers: Those whose frames count; they play already.
    """

    def __init__(self, viewers: Sequence[Viewer]) -> None:
        self._viewers = viewers
        self._calm_s = min(CALM_S, CALM_FRAMES * viewers[0].interval_s)
        self._calm_frames = 0
        self._fault_s = 0.0
        self._on_time_s = ON_TIME_S
        self._loop = asyncio.get_running_loop()

    async def settle(self, limit_s: float = 2 * ON_TIME_S, within_s: float = 20.0) -> None:
        """Wait for a steady state, in which no frame takes ``limit_s``, and learn from it what on time means here.

        Raises:
            AssertionError: If there is none, as frames fail or hardly come.
        """
        end_s = self._loop.time() + within_s
        while True:
            begin_s = self._loop.time()
            await asyncio.sleep(2 * self._calm_s)
            frames = self._frames_since(begin_s)[: -len(self._viewers)]
            worst_s = max((frame.wait_s(self._loop.time()) for frame in frames), default=within_s)
            if not any(frame.error for frame in frames) and worst_s < limit_s:
                self._on_time_s = max(ON_TIME_S, 2 * worst_s)
                self._calm_frames = len(frames) // 4  # half as many in half the time: neither must be exact
                return
            assert self._loop.time() < end_s, f"no steady state: {worst_s:.2f} s"

    def waits_s(self) -> list[float]:
        """Return how long each frame was waited for since the latest fault."""
        now_s = self._loop.time()
        return [frame.wait_s(now_s) for frame in self._frames_since(self._fault_s)]

    async def try_fault(
        self,
        fault: str,
        inject: Callable[[], Awaitable[None]],
        repaired: Condition = always,
        within_s: float = 30.0,
    ) -> Line:
        """Do it, and watch until all frames are on time again and ``repaired`` holds, ``within_s`` at most."""
        self._fault_s = begin_s = self._loop.time()
        await inject()
        repaired_s = 0.0 if repaired is always else None
        while self._loop.time() < begin_s + within_s:
            if repaired_s is None and await repaired():
                repaired_s = self._loop.time() - begin_s
            if repaired_s is not None and self._is_calm(begin_s):
                break
            await asyncio.sleep(POLL_S)
        return self._line(fault, begin_s, repaired_s, repaired is not always)

    def _is_calm(self, begin_s: float) -> bool:
        now_s = self._loop.time()
        if now_s - begin_s < self._calm_s:
            return False
        recent = self._frames_since(now_s - self._calm_s)
        pending = any(frame.came_s is None for frame in self._frames_since(begin_s)[: -len(self._viewers)])
        return len(recent) >= self._calm_frames and not pending and not any(map(self._is_late, recent))

    def _is_late(self, frame: Frame) -> bool:
        return frame.error is not None or frame.wait_s(self._loop.time()) > self._on_time_s

    def _line(self, fault: str, begin_s: float, repaired_s: float | None, to_repair: bool) -> Line:
        now_s = self._loop.time()
        frames = self._frames_since(begin_s)
        late = [frame for frame in frames if self._is_late(frame)]
        disturbed_s = max((frame.due_s + frame.wait_s(now_s) - begin_s for frame in late), default=0.0)
        normal_s = None if repaired_s is None or not self._is_calm(begin_s) else max(repaired_s, disturbed_s)
        failed = [frame for frame in frames if frame.failed(now_s)]
        remarks = [f"pictures {disturbed_s:.2f} s"] if late else []
        remarks += [f"repair {repaired_s:.2f} s"] if repaired_s is not None and to_repair else []
        remarks += [_failures(failed, begin_s)] if failed else []
        wait_s = max(frame.wait_s(now_s) for frame in frames)
        return Line(fault, len(frames), len(failed), wait_s, normal_s, "; ".join(remarks))

    def _frames_since(self, begin_s: float) -> list[Frame]:
        """Return what fell due since then, in order."""
        frames: list[Frame] = []
        for viewer in self._viewers:
            for frame in reversed(viewer.frames):
                if frame.due_s < begin_s:
                    break
                frames.append(frame)
        return sorted(frames, key=lambda frame: frame.due_s)


def _failures(frames: Sequence[Frame], begin_s: float) -> str:
    """Tell how frames failed, and when those were due that did first and last."""
    codes = [frame.error or "no answer" for frame in frames]
    counts = ", ".join(f"{codes.count(code)} {code}" for code in sorted(set(codes)))
    return f"{counts} (due {frames[0].due_s - begin_s:.1f} to {frames[-1].due_s - begin_s:.1f} s)"
