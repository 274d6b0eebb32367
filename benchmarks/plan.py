"""The parts of a benchmark run, how long each takes, and which goals its figures are held to."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.bridge_alone import measure_bridge_alone
from benchmarks.compare import BARE, PLAIN, PREDECESSOR, SERVED, compare
from benchmarks.endurance import run_endurance
from benchmarks.live import measure_live, most_carried
from benchmarks.machine import usable_cores
from benchmarks.overhead import measure_overhead, median_of
from benchmarks.perf_analyzer import Load
from benchmarks.plot import plot_sweep
from benchmarks.recommend import recommend, recommend_sessions
from benchmarks.replay import measure_replay
from benchmarks.report import Report
from benchmarks.scaling import measure_scaling
from benchmarks.site import FRAMES, Site
from benchmarks.soak import run_soak
from benchmarks.speakers import BURSTS, MICROPHONE
from benchmarks.stages.measure import GOAL, measure_stages, needed
from benchmarks.sweep import CONCURRENCIES, steadiness, sweep, to_rows
from benchmarks.table import Row

__all__ = ["FULL", "PARTS", "QUICK", "Plan", "goal", "run_part"]

STRATEGIES = ("latency", "batching", "multi_instance", "hybrid", "replay")


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes:
        avatar: Whose network is computed.
        width: Of that network.
        avatars: All that have to be there.
        rounds: Turns of each side where sides alternate.
        frames: Frames a turn.
        window_s: One perf_analyzer window of the sweep.
        scaling_s: One of the scaling, which has no passes.
        concurrencies: Callers at a time.
        passes: How often the sweep goes through them.
        strategies: Which to sweep.
        replay_s: Load on the response cache.
        soak_s: The load of many viewers.
        clients: Idle and playing ones of it.
        endurance_s: The load of clips and live speech together.
        others: Whether to compare LitServe and Ray Serve.
        live_avatars: Whom live sessions speak with.
        live_utterances: Of each session, one after another.
        live_utterance_s: How long each is.
        live_sessions: At once, at most.
        bridge_sessions: At once, where the bridge is measured alone.
        stage_s: Of load on each case of the stages.
        stage_batches: Frames a request of the stages.
        stage_instances: Processes of each stage.
    """

    avatar: str = "wide"
    width: float = 1.0
    avatars: tuple[str, ...] = ("wide", "half", "demo")
    rounds: int = 10
    frames: int = 20
    window_s: float = 2.0
    scaling_s: float = 5.0
    concurrencies: tuple[int, ...] = CONCURRENCIES
    passes: int = 3
    strategies: tuple[str, ...] = STRATEGIES
    replay_s: float = 12.0
    soak_s: float = 60.0
    clients: tuple[int, int] = (200, 50)
    endurance_s: float = 300.0
    others: bool = True
    live_avatars: tuple[str, ...] = ("wide", "demo")
    live_utterances: int = 5
    live_utterance_s: float = 4.0
    live_sessions: int = 128
    bridge_sessions: int = 20
    stage_s: float = 1.8
    stage_batches: tuple[int, ...] = (1, 8, 16, 32)
    stage_instances: tuple[int, ...] = (1, 2)


FULL = Plan()
QUICK = Plan(
    avatar="half",
    width=0.5,
    avatars=("half", "demo"),
    rounds=2,
    frames=2,
    window_s=1.0,
    scaling_s=1.0,
    concurrencies=(1, 8),
    passes=1,
    strategies=("latency",),
    replay_s=1.5,
    soak_s=1.0,
    clients=(4, 2),
    endurance_s=2.0,
    others=False,
    live_avatars=("demo",),
    live_utterances=1,
    live_utterance_s=1.0,
    live_sessions=1,
    bridge_sessions=2,
    stage_s=0.4,
    stage_batches=(1, 16),
    stage_instances=(1,),
)


def goal(name: str, value: float, limit: float, at_most: bool = False) -> str:
    """Return a sentence on one figure and what it is held to."""
    met = value <= limit if at_most else value >= limit
    bound = "at most" if at_most else "at least"
    return f"{name}: {round(value, 3):g} (goal: {bound} {limit:g}): {'met' if met else 'missed'}"


async def run_part(part: str, site: Site, plan: Plan, report: Report) -> None:
    """Measure one of ``PARTS`` and add its tables.

    Raises:
        BenchmarkError: If it cannot be measured.
    """
    await PARTS[part](site, plan, report)


async def _compare(site: Site, plan: Plan, report: Report) -> None:
    found = await compare(site, plan.avatar, plan.width, plan.rounds, plan.frames, plan.others)
    notes = [
        goal("ratio of served to the bare loop on the same file", found.ratio(SERVED, BARE), 0.95),
        goal("ratio of the rewritten network to the plain export", found.ratio(BARE, PLAIN), 1.05),
        goal("ratio of served to the predecessor's server", found.ratio(SERVED, PREDECESSOR), 6),
        *found.skipped,
    ]
    report.add(
        "compare", "One caller, our sides taking turns, the others with the bare loop", found.rows(), notes
    )


async def _overhead(site: Site, plan: Plan, report: Report) -> None:
    turns = await measure_overhead(site, plan.avatar, plan.rounds, plan.frames)
    found = median_of(turns)
    note = goal("everything but the U-Net, ms a frame", found.besides_network_ms, 2.0, at_most=True)
    report.add("overhead", "Where a frame's time goes, one caller", found.rows(), [note])


async def _sweep(site: Site, plan: Plan, report: Report) -> None:
    load = Load(plan.avatar, 1, plan.window_s, FRAMES)
    points = [
        point
        async for point in sweep(
            site.model_repository, plan.avatar, plan.strategies, load, plan.concurrencies, plan.passes
        )
    ]
    steady = [
        goal(f"{found.strategy}, 8 callers by its best", found.share_at_8, 0.95)
        for found in steadiness(points)
    ]
    plot = plot_sweep(points, report.folder)
    report.add(
        "sweep", "Strategy by callers (perf_analyzer)", to_rows(points), [*steady, recommend(points), plot]
    )


async def _replay(site: Site, plan: Plan, report: Report) -> None:
    found = await measure_replay(site, plan.replay_s, plan.rounds, 5 * plan.frames)
    rates = {(row["path"], row["callers"]): row for row in found.rows()}
    one = float(rates["gRPC", 1]["p50_ms"])
    notes = [
        goal("frames/s over gRPC, 16 callers", found.grpc.frames_per_s, 2500),
        goal("frames/s through the bridge, 16 clients", found.bridge.frames_per_s, 2500),
        goal("p50 at one caller, ms", one, 1.2, at_most=True),
        goal("the bridge adds at p50, ms", found.bridge_adds_ms, 0.4, at_most=True),
    ]
    report.add("replay", "From the response cache", found.rows(), notes)


async def _soak(site: Site, plan: Plan, report: Report) -> None:
    found = await run_soak(site, plan.soak_s, *plan.clients)
    growth = (found.after_bytes - found.before_bytes) / (1 << 20)
    notes = [
        goal("missed deadlines", found.missed, 0, at_most=True),
        f"the bridge's memory changed by {growth:+.1f} MiB",
    ]
    report.add("soak", f"Many viewers for {plan.soak_s:g} s", found.rows(), notes)


async def _endurance(site: Site, plan: Plan, report: Report) -> None:
    found = await run_endurance(site, plan.endurance_s)
    growth = (found.after.bridge_bytes - found.before.bridge_bytes) / (1 << 20)
    notes = [
        goal("pictures of live speech left out", found.heard.skipped, 0, at_most=True),
        goal("missed deadlines of clips", found.missed, 0, at_most=True),
        goal("growth of the bridge, MiB", growth, 5, at_most=True),
    ]
    report.add("endurance", f"Clips and live speech for {plan.endurance_s:g} s", found.rows(), notes)


async def _scaling(site: Site, plan: Plan, report: Report) -> None:
    rows = await measure_scaling(site, plan.avatars, plan.scaling_s)
    report.add("scaling", "Instances, avatars and width", rows)


async def _live(site: Site, plan: Plan, report: Report) -> None:
    seconds, utterances = plan.live_utterance_s, plan.live_utterances
    bridge = await measure_bridge_alone(plan.bridge_sessions, seconds, utterances)
    note = goal("live sessions a core of the bridge", bridge.sessions_per_core, 80)
    report.add(
        "live_bridge", "Live speech: the bridge alone, its Triton computing nothing", bridge.rows(), [note]
    )
    rows: list[Row] = []
    notes = []
    for avatar in plan.live_avatars:
        found = await measure_live(
            site, avatar, (MICROPHONE, BURSTS), seconds, utterances, plan.live_sessions
        )
        rows += found.rows()
        carried = min(most_carried(found.steps, feed) for feed in (MICROPHONE, BURSTS))
        notes.append(
            recommend_sessions(
                avatar, found.pictures_per_s, bridge.sessions_per_core, usable_cores(), carried
            )
        )
    report.add("live", "Live speech: sessions at once", rows, notes)


async def _stages(site: Site, plan: Plan, report: Report) -> None:
    found = await measure_stages(site, plan.stage_batches, plan.stage_instances, plan.stage_s)
    report.add("stages", "The stages beside the network, each alone", [one.row() for one in found])
    report.add("stages_needed", f"What {GOAL:,} frames/s take of each stage", needed(found))


PARTS = {
    "compare": _compare,
    "overhead": _overhead,
    "sweep": _sweep,
    "replay": _replay,
    "soak": _soak,
    "endurance": _endurance,
    "scaling": _scaling,
    "live": _live,
    "stages": _stages,
}
