"""Pictures of a sweep, with matplotlib where it is installed (the extra ``bench``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.sweep import Point

__all__ = ["plot_sweep"]

SIZE_INCHES = (11, 4)
DOTS_PER_INCH = 110


def plot_sweep(points: Sequence[Point], folder: Path) -> str:
    """Draw frames per second and p95 over callers into ``sweep.png``; return a sentence on where it is or why not."""
    try:
        import matplotlib
    except ImportError:
        return "No plot: matplotlib is not installed (pip install --editable '.[bench]')."
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (rate, latency) = pyplot.subplots(1, 2, figsize=SIZE_INCHES, layout="constrained")
    for strategy in dict.fromkeys(point.strategy for point in points):
        mine = [point.measured for point in points if point.strategy == strategy]
        callers = [measured.concurrency for measured in mine]
        rate.plot(callers, [measured.frames_per_s for measured in mine], "o-", label=strategy)
        latency.plot(callers, [measured.p95_ms for measured in mine], "o-", label=strategy)
    for axes, title in ((rate, "frames/s"), (latency, "p95, ms")):
        axes.set(xlabel="callers", title=title, xscale="log", yscale="log")
        axes.grid(True, alpha=0.3)
    rate.legend()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "sweep.png", dpi=DOTS_PER_INCH)
    pyplot.close(figure)
    return f"Plot: {folder / 'sweep.png'}"
