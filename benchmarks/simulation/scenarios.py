"""All that is simulated, table by table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.simulation import load, model
from benchmarks.simulation.autoscaler import Autoscaler, Burst, Fleet, run_fleet
from benchmarks.simulation.cache import ResponseCache, hit_share
from benchmarks.simulation.cell import CPU, GPU, Carried, Machine, carried, layout, queue_times
from benchmarks.simulation.effort import Effort
from benchmarks.simulation.failures import Failure, failing
from benchmarks.simulation.fleet import plan_of
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.parameters import Parameters
from benchmarks.simulation.world import simulate
from benchmarks.statistics import percentile
from benchmarks.table import Row

__all__ = ["SIZES", "Study", "Table", "study"]

SIZES = (1, 10, 100, 1000)
SHARES = [0.25, 0.5, 0.75, 0.9, 1.0, 1.1]
CACHE_AVATARS = (4, 20, 40, 80, 120)
CACHE_TRITONS = 4
FAILURES = [("kill", 5.0), ("stop", 1.5)]
FAILING_TRITONS = (1, 2, 4, 10)
FAILING_SHARE = 0.4
"""Of what all Tritons compute: one of two can carry it alone."""

CLIENT_RATE = 5.0
"""Frames a second that one client of an overload asks for."""

BURST_TRITONS, BURST_FROM = 10, 0.2


@dataclass(frozen=True)
class Table:
    """One table: its name in documents, its title and its rows."""

    name: str
    title: str
    rows: list[Row]


@dataclass
class Study:
    """What was found, for tables and plots.

    Attributes:
        tables: In order.
        cells: What cells carry.
        bursts: Histories of fleets, by what was scaled on and how long a Triton takes to start.
    """

    tables: list[Table] = field(default_factory=list)
    cells: list[Carried] = field(default_factory=list)
    bursts: dict[str, Fleet] = field(default_factory=dict)


def study(known: Parameters, effort: Effort) -> Iterator[Study]:
    """Simulate everything; yield what is known so far after each table."""
    found = Study()
    for part in (_cells, _fleets, _limits, _failures, _overload, _caches, _bursts):
        found.tables.append(part(known, effort, found))
        yield found


def _cells(known: Parameters, effort: Effort, found: Study) -> Table:
    for machine, sizes, seconds in (
        (CPU, effort.cpu_cells, effort.seconds),
        (GPU, effort.gpu_cells, effort.gpu_seconds),
    ):
        found.cells += [carried(machine, known, tritons, seconds) for tritons in sizes]
    rows: list[Row] = [
        {
            "Tritons": cell.tritons,
            "of": cell.machine.name,
            "bridges": cell.bridges,
            "sessions carried": cell.sessions,
            "a Triton": cell.per_triton,
            "admitted by `measured`": cell.admitted,
            "bridges busy": f"{cell.bridge_share:.0%}",
            "p50 late_ms": cell.outcome.quantile_ms(0.5),
            "p95 late_ms": cell.outcome.quantile_ms(0.95),
            "in Triton's queue_ms": cell.outcome.queue_s * 1000,
        }
        for cell in found.cells
    ]
    return Table("cells", "Cells: live sessions that all speak at once, frame by frame", rows)


def _of_each_machine(found: Study) -> list[list[Carried]]:
    """Return the cells that were simulated and carry anything, by machine."""
    kinds = [
        [cell for cell in found.cells if cell.machine == machine and cell.sessions] for machine in (CPU, GPU)
    ]
    return [cells for cells in kinds if cells]


def _fleets(known: Parameters, effort: Effort, found: Study) -> Table:
    rows = [plan_of(cells, known, size).row() for cells in _of_each_machine(found) for size in SIZES]
    return Table("fleets", "Fleets of cells", rows)


def _limits(known: Parameters, effort: Effort, found: Study) -> Table:
    rows: list[Row] = []
    for cells in _of_each_machine(found):
        columns = {size: plan_of(cells, known, size).limits() for size in SIZES}
        rows += [
            {
                "limit": name,
                "of": cells[0].machine.name,
                **{f"{size:,}": columns[size][name] for size in SIZES},
            }
            for name in columns[SIZES[0]]
        ]
    return Table("limits", "How far limits are used: 1 is all of it", rows)


def _failures(known: Parameters, effort: Effort, found: Study) -> Table:
    rows: list[Row] = []
    costs = model.cpu_triton(known)
    alone = 1 / (known["network_core_s"] / known["network_width"])
    for kind, down_s in FAILURES:
        for tritons in FAILING_TRITONS:
            rate = FAILING_SHARE * alone * tritons
            wanted = load.offered(rate, 20 * tritons, effort.seconds, load.Clips(frames=1 << 30))
            failure = Failure(kind, effort.seconds / 3 + 1.5, min(down_s, effort.seconds / 3))
            outcome = simulate(
                layout(CPU, known, tritons, 1), costs, model.bridge(known), failing(wanted, failure)
            )
            rows.append(_failure_row(kind, failure.down_s, tritons, outcome))
    return Table("failures", "One Triton of several fails, at 40 % of what all compute", rows)


def _failure_row(kind: str, down_s: float, tritons: int, outcome: Outcome) -> Row:
    return {
        "fault": f"{kind} for {down_s:g} s",
        "Tritons": tritons,
        "frames": outcome.asked,
        "failed": outcome.asked - outcome.good,
        "p50_ms": outcome.quantile_ms(0.5),
        "p99_ms": outcome.quantile_ms(0.99),
        "longest wait_ms": outcome.quantile_ms(1.0),
    }


def _overload(known: Parameters, effort: Effort, found: Study) -> Table:
    rows: list[Row] = []
    costs, before = model.cpu_triton(known), model.bridge(known)
    clips = load.Clips(frames=1 << 30)
    for tritons, times in effort.overloaded:
        stands = layout(CPU, known, tritons, 1)
        alone = simulate(stands, costs, before, load.callers(2 * tritons, effort.seconds, clips))
        rate = times * alone.frames_per_s
        wanted = load.offered(rate, round(rate / CLIENT_RATE), effort.seconds, clips)
        outcome = simulate(stands, costs, before, wanted)
        rows.append(
            {
                "Tritons": tritons,
                "times the capacity": times,
                "good, of the capacity": f"{outcome.frames_per_s / alone.frames_per_s:.0%}",
                "refused": f"{outcome.codes['overloaded'] / outcome.asked:.0%}",
                "p50_ms": outcome.quantile_ms(0.5),
                "p99_ms": outcome.quantile_ms(0.99),
            }
        )
    return Table("overload", "More frames are asked for than CPUs compute", rows)


def _caches(known: Parameters, effort: Effort, found: Study) -> Table:
    rows: list[Row] = []
    frames, picture_bytes = round(known["avatar_frames"]), known["clip_picture_bytes"]
    for avatars in CACHE_AVATARS:
        together, sharded = (
            hit_share(
                [ResponseCache(known["cache_bytes"], picture_bytes) for _ in range(count)], wanted, frames
            )
            for count, wanted in ((CACHE_TRITONS, avatars), (1, avatars // CACHE_TRITONS))
        )
        rows.append(
            {
                "avatars": avatars,
                "MB of pictures": avatars * frames * picture_bytes / 1e6,
                f"from the cache, any of {CACHE_TRITONS} Tritons": f"{together:.0%}",
                "from the cache, a quarter of the avatars on each": f"{sharded:.0%}",
            }
        )
    return Table("caches", "Clips from response caches of 256 MB", rows)


def _bursts(known: Parameters, effort: Effort, found: Study) -> Table:
    rows: list[Row] = []
    for cells in _of_each_machine(found):
        cell = plan_of(cells, known, BURST_TRITONS).found
        seconds = effort.gpu_seconds if cell.machine.gpus else effort.seconds
        waits_s = queue_times(cell, known, SHARES, seconds)
        for name, scaler in _scalers(known, waits_s).items():
            for start, start_s in _starts(known, cell.machine).items():
                fleet = _burst(known, cell, scaler, start_s)
                found.bursts[f"{cell.machine.name}: {name}, {start}"] = fleet
                rows.append(_burst_row(cell, name, f"{start}: {start_s:.0f} s", fleet))
    return Table("bursts", "Sessions grow fivefold within a minute", rows)


def _scalers(known: Parameters, waits_s: Sequence[float]) -> dict[str, Autoscaler | None]:
    by_sessions = Autoscaler(
        metric=lambda fleet: fleet.load / known["target_share"],
        sync_s=known["hpa_sync_s"],
        scrape_s=known["scrape_s"],
        tolerance=known["hpa_tolerance"],
        down_window_s=known["hpa_down_window_s"],
        up_pods=round(known["hpa_up_pods"]),
    )
    by_queue = replace(
        by_sessions,
        metric=lambda fleet: _interpolated(waits_s, fleet.load) / known["target_queue_s"],
        window_s=known["rate_window_s"],
    )
    return {"nothing": None, "live sessions": by_sessions, "queue time": by_queue}


def _interpolated(waits_s: Sequence[float], share: float) -> float:
    """Return the queue time at a share of the capacity, between the shares that were simulated."""
    points = list(zip([0.0, *SHARES], [0.0, *waits_s], strict=True))
    for (low, low_s), (high, high_s) in itertools.pairwise(points):
        if share <= high:
            return low_s + (high_s - low_s) * (share - low) / (high - low)
    return points[-1][1]


def _starts(known: Parameters, machine: Machine) -> dict[str, float]:
    warm_s = known["pod_start_s"] + known["ready_s"]
    cold_s = warm_s + known["node_start_s"]
    starts = {"a node with the image": warm_s, "a new node": cold_s + known["image_pull_s"]}
    if machine.gpus:
        starts["a new node, engines to build"] = starts["a new node"] + known["engine_build_s"]
    return starts


def _burst(known: Parameters, cell: Carried, scaler: Autoscaler | None, start_s: float) -> Fleet:
    wanted = BURST_TRITONS * cell.per_triton
    burst = Burst(
        before=BURST_FROM * wanted,
        during=wanted,
        session_s=known["session_s"],
        retry_s=known["retry_s"],
        patience_s=known["patience_s"],
    )
    tritons = round(BURST_TRITONS * BURST_FROM / known["target_share"])
    return run_fleet(Fleet(cell.per_triton, tritons), scaler, burst, start_s, burst.end_s + 600)


def _burst_row(cell: Carried, name: str, start: str, fleet: Fleet) -> Row:
    waited = [wait_s for wait_s in fleet.waits_s if wait_s > 0]
    return {
        "of": cell.machine.name,
        "scaled on": name,
        "a new Triton starts on": start,
        "sessions": fleet.came,
        "waited": f"{len(waited) / fleet.came:.1%}",
        "waited p95_s": percentile(waited, 0.95) if waited else 0.0,
        "gave up": f"{fleet.lost / fleet.came:.1%}",
        "most Tritons": max(ready + starting for *_, ready, starting in fleet.history),
        "Triton hours": fleet.triton_s / 3600,
    }
