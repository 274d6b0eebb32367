"""From figures to a sentence: which strategy suits this machine, and how many live sessions it carries."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.perf_analyzer import Measurement
from benchmarks.sweep import Point
from speech.contract import FPS

__all__ = ["recommend", "recommend_sessions"]

MARGIN = 1.05
"""A strategy has to be this much faster than a simpler one to be worth its memory."""

USABLE_SHARE = 0.9
"""Of the pictures that Triton paints without pause, what sessions may need: as the bridge admits them."""

SIMPLEST_FIRST = ("latency", "batching", "multi_instance", "hybrid")


def recommend(points: Sequence[Point], frames_per_s: float = 25.0) -> str:
    """Return what to serve with, for one viewer and for many, and how many viewers of uncached frames that feeds.

    ``replay`` is left out: it answers from a cache, so its figures say nothing about the network.

    Args:
        points: A sweep.
        frames_per_s: What one viewer watches.

    Raises:
        ValueError: If the sweep has none of the strategies that compute.
    """
    known = [point for point in points if point.strategy in SIMPLEST_FIRST]
    if not known:
        raise ValueError(f"expected a sweep of some of {', '.join(SIMPLEST_FIRST)}, got none of them")
    alone = _best(
        [point for point in known if point.measured.concurrency == 1] or known,
        lambda measured: 1.0 / measured.p50_ms,
    )
    busy = _best(known, lambda measured: measured.frames_per_s)
    viewers = busy.measured.frames_per_s / frames_per_s
    enough = f"{int(viewers)} viewers" if viewers >= 1 else "less than one viewer"
    return (
        f"For one viewer: {alone.strategy} (p50 {alone.measured.p50_ms:.1f} ms). For many: {busy.strategy}, "
        f"{busy.measured.frames_per_s:.1f} frames/s at {busy.measured.concurrency} callers, "
        f"p95 {busy.measured.p95_ms:.0f} ms: {enough} at {frames_per_s:g} fps of frames "
        f"not seen before. For frames asked for again and again: replay."
    )


def recommend_sessions(
    avatar: str, pictures_per_s: float, sessions_per_core: float, cores: int, carried: int
) -> str:
    """Return how many live sessions of an avatar to plan for, by what limits them first.

    Args:
        avatar: Whose.
        pictures_per_s: That Triton paints of it, asked without pause.
        sessions_per_core: That a bridge carries.
        cores: For bridges, a process each.
        carried: Sessions at once that were measured to be served in time, by one bridge.
    """
    painted, bridged = USABLE_SHARE * pictures_per_s / FPS, sessions_per_core * cores
    limit = "Triton's pictures are the limit" if painted <= bridged else "the bridge is the limit"
    sessions = int(min(painted, bridged))
    return (
        f"Live sessions of '{avatar}': min({USABLE_SHARE:g} · {pictures_per_s:.1f} pictures/s / {FPS:g}, "
        f"{sessions_per_core:.0f} sessions a core · {cores} cores) = "
        f"{sessions or 'less than one'}: {limit}. Measured through one bridge: {carried}."
    )


def _best(points: Sequence[Point], score: Callable[[Measurement], float]) -> Point:
    """Return the best point of the simplest strategy that comes within the margin of the best of all."""
    goal = max(score(point.measured) for point in points) / MARGIN
    for strategy in SIMPLEST_FIRST:
        mine = [point for point in points if point.strategy == strategy and score(point.measured) >= goal]
        if mine:
            return max(mine, key=lambda point: score(point.measured))
    raise AssertionError("the best point is within the margin of itself")
