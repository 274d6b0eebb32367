"""Pictures of what was simulated, with matplotlib where it is installed (the extra ``bench``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.simulation.autoscaler import Fleet
from benchmarks.simulation.cell import CPU, GPU
from benchmarks.simulation.fleet import plan_of
from benchmarks.simulation.parameters import Parameters
from benchmarks.simulation.scenarios import SIZES, Study

__all__ = ["draw"]

SIZE_INCHES = (9, 3.6)
DOTS_PER_INCH = 90
MINUTE_S = 60


def draw(study: Study, known: Parameters, folder: Path) -> str:
    """Draw ``scaling_fleets.png`` and ``scaling_burst.png``; return a sentence on where they are or why not."""
    try:
        import matplotlib
    except ImportError:
        return "No pictures: matplotlib is not installed (pip install --editable '.[bench]')."
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    _draw_fleets(study, known, folder / "scaling_fleets.png")
    _draw_bursts(study.bursts, folder / "scaling_burst.png")
    return f"Pictures: {folder / 'scaling_fleets.png'}, {folder / 'scaling_burst.png'}"


def _draw_fleets(study: Study, known: Parameters, path: Path) -> None:
    from matplotlib import pyplot

    figure, (sessions, bridges) = pyplot.subplots(1, 2, figsize=SIZE_INCHES, layout="constrained")
    for machine in (CPU, GPU):
        cells = [cell for cell in study.cells if cell.machine == machine]
        if not cells:
            continue
        plans = [plan_of(cells, known, size) for size in SIZES]
        sessions.plot(SIZES, [plan.sessions for plan in plans], "o-", label=machine.name)
        bridges.plot(SIZES, [plan.bridges for plan in plans], "o-", label=machine.name)
    for axes, title in ((sessions, "conversations"), (bridges, "bridges they need")):
        axes.set(xlabel="Tritons", title=title, xscale="log", yscale="log")
        axes.grid(True, alpha=0.3)
    sessions.legend()
    figure.savefig(path, dpi=DOTS_PER_INCH)
    pyplot.close(figure)


def _draw_bursts(bursts: Mapping[str, Fleet], path: Path) -> None:
    from matplotlib import pyplot

    figure, (sessions, tritons) = pyplot.subplots(1, 2, figsize=SIZE_INCHES, layout="constrained")
    kind = list(bursts)[-1].partition(":")[0]
    for name, fleet in bursts.items():
        if not name.startswith(kind) or "nothing" in name:
            continue
        minutes = [time_s / MINUTE_S for time_s, *_ in fleet.history]
        label = name.partition(": ")[2]
        sessions.plot(minutes, [going for _, _, going, _, _ in fleet.history], label=label)
        tritons.plot(minutes, [ready for *_, ready, _ in fleet.history], label=label)
    for axes, title in ((sessions, f"sessions, {kind}"), (tritons, "Tritons that are ready")):
        axes.set(xlabel="minutes", title=title)
        axes.grid(True, alpha=0.3)
    tritons.legend(fontsize="x-small")
    figure.savefig(path, dpi=DOTS_PER_INCH)
    pyplot.close(figure)
