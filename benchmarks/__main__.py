"""``python -m benchmarks``: measure this machine, write tables to benchmarks/results, and recommend a strategy."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.plan import FULL, PARTS, QUICK, run_part
from benchmarks.report import Report
from benchmarks.site import prepare_site

__all__ = ["main"]

WORKPLACE = Path("build/bench")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts; return 0, or 1 after one sentence per part that failed; exit with 2 for bad arguments."""
    parser = _parser()
    args = parser.parse_args(argv)
    unknown = [part for part in args.parts if part not in PARTS]
    if unknown:
        parser.error(f"expected parts of {', '.join(PARTS)}, got {unknown[0]}")
    plan = QUICK if args.quick else FULL
    report = Report(
        args.output, "python -m benchmarks" + "".join(f" {word}" for word in argv or sys.argv[1:])
    )
    print("preparing the avatars …", flush=True)
    site = prepare_site(WORKPLACE, plan.avatars)
    failed = False
    for part in args.parts or PARTS:
        print(f"measuring: {part} …", flush=True)
        try:
            asyncio.run(run_part(part, site, plan, report))
        except BenchmarkError as exc:
            print(f"error: {exc}", file=sys.stderr)
            failed = True
    print(f"{report.write()}: the tables")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="half width, short windows: to see that it runs")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("benchmarks/results"),
        metavar="DIR",
        help="default: benchmarks/results",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
