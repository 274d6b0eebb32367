"""``python -m benchmarks.gpu``: what an NVIDIA card gives, in minutes, whatever of it fails.

In this order, until the time is over: pictures beside the CPU's, the engine alone, strategies end to end, live
sessions, fixed rates, instances and their memory. Each step is a process of its own with a limit; what it finds is on
the disk before the next begins.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.gpu.run import run
from benchmarks.gpu.settings import CUDA, DEVICES, FULL_MINUTES, settings_for
from benchmarks.machine import today
from benchmarks.site import WIDTHS, carry

__all__ = ["main"]

SITE = Path("build/bench_gpu")
AVATARS = (*WIDTHS, "demo")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return 0, or 1 where there is no card or no step was done, or 130 after Ctrl-C or SIGTERM."""
    args = _parser().parse_args(argv)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if args.prepare:
            carry(args.site, (args.avatar,))
            print(f"{args.site}: carry it to the machine with the card")
            return 0
        settings = settings_for(args.device, args.site.resolve(), args.avatar, args.minutes)
        words = " ".join(["python -m benchmarks.gpu", *(sys.argv[1:] if argv is None else argv)])
        return run(settings, args.output, f"{today()}, `{words}`\n", args.step)
    except BenchmarkError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: what was found until then is kept", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    add: Any = parser.add_argument
    add("--minutes", type=float, default=FULL_MINUTES, help=f"all steps together (default: {FULL_MINUTES:g})")
    add(
        "--device", choices=DEVICES, default=CUDA, help="the card, or a CPU in its place to see that all runs"
    )
    add("--avatar", choices=AVATARS, default="wide", help="whose network is computed (default: wide)")
    add("--site", type=Path, default=SITE, metavar="DIR", help=f"avatars, engines, models (default: {SITE})")
    output = Path("benchmarks/results/gpu")
    add("--output", type=Path, default=output, metavar="DIR", help=f"where results go (default: {output})")
    add(
        "--step",
        action="append",
        default=[],
        metavar="TEXT",
        help="only steps whose name has it; can be repeated",
    )
    add("--prepare", action="store_true", help="write what takes PyTorch or long to the site, and end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
