"""``python -m benchmarks.gpu``: engines, strategies, instances and memory on an NVIDIA GPU, in one run.

It builds float16 engines for the benchmark's full-width avatar, which needs no GPU, then measures: the engine alone by
batch size, each strategy end to end with perf_analyzer, 1, 2, 4 and 8 instances with their memory, and how far all of
it is from what the card could do.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.gpu.engine import measure_engine, open_device
from benchmarks.gpu.memory import gpu_name, used_mebibytes
from benchmarks.gpu.roofline import CARDS, bound_frames_per_s
from benchmarks.perf_analyzer import Load, run_perf_analyzer
from benchmarks.report import Report
from benchmarks.site import FRAMES, Site, prepare_site
from benchmarks.sweep import sweep, to_rows
from benchmarks.table import Row
from benchmarks.triton import running_triton
from export.__main__ import main as export

__all__ = ["main"]

AVATAR = "wide"
WORKPLACE = Path("build/bench_gpu")
STRATEGIES = ("latency", "batching", "multi_instance", "hybrid", "replay")
CONCURRENCIES = (1, 8, 32, 64, 128)
INSTANCES = (1, 2, 4, 8)
BUSY = 128


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return 0, or 1 after one sentence of error, which says so where there is no GPU."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--window-s", type=float, default=5.0, help="one measurement window (default: 5)")
    parser.add_argument(
        "--optimum-batch", type=int, default=16, help="of the engine for batches (default: 16)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("benchmarks/results/gpu"), metavar="DIR", help="where results go"
    )
    args = parser.parse_args(argv)
    try:
        _measure(args)
    except BenchmarkError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _measure(args: argparse.Namespace) -> None:
    site = prepare_site(WORKPLACE, (AVATAR,))
    _build_engines(site, args.optimum_batch, instances=2)
    device = open_device()  # the first step that needs a GPU
    card = gpu_name()
    report = Report(args.output, "python -m benchmarks.gpu")
    plan = site.model_repository / f"{AVATAR}_unet" / "1" / "model.plan"
    report.add(
        "engine", f"The engine alone on {card}", measure_engine(plan, device, args.window_s), _bound(card)
    )
    load = Load(AVATAR, 1, args.window_s, FRAMES)
    report.add("strategies", "End to end, by strategy and callers", asyncio.run(_sweep(site, load)))
    report.add("instances", f"Instances at {BUSY} callers", asyncio.run(_instances(site, args)))
    print(f"{report.write()}: the tables")


def _build_engines(site: Site, optimum_batch: int, instances: int) -> None:
    folders = ["--avatars", str(site.avatars), "--model-repository", str(site.model_repository)]
    options = ["--optimum-batch", str(optimum_batch), "--instances", str(instances)]
    if export(["tensorrt", AVATAR, *folders, *options]) != 0:
        raise BenchmarkError("the engines could not be built: see above")


def _bound(card: str) -> list[str]:
    """Return a sentence on the card's limits, where its data sheet is known."""
    return [
        f"{name}: at most {bound_frames_per_s(limits):,.0f} frames/s by arithmetic and PCIe, activations left out"
        for name, limits in CARDS.items()
        if name in card
    ]


async def _sweep(site: Site, load: Load) -> list[Row]:
    points = [
        point
        async for point in sweep(site.model_repository, AVATAR, STRATEGIES, load, CONCURRENCIES, passes=1)
    ]
    return to_rows(points)


async def _instances(site: Site, args: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    folders = ["--avatars", str(site.avatars), "--model-repository", str(site.model_repository)]
    for count in INSTANCES:
        if export(["strategies", AVATAR, *folders, "--instances", str(count)]) != 0:
            raise BenchmarkError("the strategies could not be written: see above")
        before = used_mebibytes()
        async with running_triton(site.model_repository, "hybrid") as triton:
            load = Load(AVATAR, BUSY, args.window_s, FRAMES)
            found = await asyncio.to_thread(run_perf_analyzer, triton.grpc_url, load)
            held = used_mebibytes() - before
        rows.append(
            {
                "instances": count,
                "frames/s": found.frames_per_s,
                "p50_ms": found.p50_ms,
                "p95_ms": found.p95_ms,
                "p99_ms": found.p99_ms,
                "gpu_mib": held,
                "gpu_mib_per_instance": held / count,
            }
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
