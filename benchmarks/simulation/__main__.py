"""``python -m benchmarks.simulation``: what 1 to 1,000 Tritons carry and cost, what fails first, what a burst does.

Without options it simulates, from measured costs, in minutes and on any machine. ``--calibrate`` measures those costs
on this machine's real Triton and bridge and writes them to the parameters' file; ``--validate`` measures one machine
under several loads and compares with the simulation. Everything is written to results.md and CSV files.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe_machine, today
from benchmarks.report import Report
from benchmarks.simulation.document import replace_tables
from benchmarks.simulation.effort import FULL, QUICK, Effort
from benchmarks.simulation.parameters import PATH, Parameters
from benchmarks.simulation.pictures import draw
from benchmarks.simulation.scenarios import study
from benchmarks.table import to_markdown

__all__ = ["main"]

WORKPLACE = Path("build/bench")
COMMAND = "python -m benchmarks.simulation"


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return 0, or 1 after one sentence of error; exit with 2 for bad arguments."""
    args = _parser().parse_args(argv)
    report = Report(args.output, " ".join([COMMAND, *(sys.argv[1:] if argv is None else argv)]))
    texts: dict[str, str] = {}
    try:
        known = Parameters.read(args.parameters)
        effort = QUICK if args.quick else FULL
        if args.calibrate:
            known = _calibrate(known, effort, args.parameters)
        if args.validate:
            texts["validation"] = _validate(known, effort, report)
        if not args.calibrate and not args.validate:
            texts = _simulate(known, effort, report, args.output if args.document is None else args.images)
        if args.document is not None:
            replace_tables(args.document, texts | {"parameters": _listed(known)})
    except BenchmarkError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(f"{report.write()}: the tables" if texts else f"{args.parameters}: the parameters")
    return 0


def _calibrate(known: Parameters, effort: Effort, path: Path) -> Parameters:
    from benchmarks.simulation.calibrate import (  # brings PyTorch, which a simulation does not need
        AVATAR,
        calibrate,
    )
    from benchmarks.site import prepare_site

    site = prepare_site(WORKPLACE, (AVATAR,))
    found = asyncio.run(calibrate(site, effort.calibrated_s))
    source, machine = f"{COMMAND} --calibrate", describe_machine()
    known = known.measured(found, source=source, machine=machine, date=today())
    known.write(path)
    return known


def _validate(known: Parameters, effort: Effort, report: Report) -> str:
    from benchmarks.simulation.calibrate import AVATAR
    from benchmarks.simulation.validate import summary, validate
    from benchmarks.site import prepare_site

    site = prepare_site(WORKPLACE, (AVATAR,))
    done = validate(site, known, effort.calibrated_s)
    rows = [row for compared in done for row in compared.rows()]
    said = f"{summary(done)} ({today()}, {describe_machine()})."
    report.add("validation", "One machine, measured and simulated", rows, [said])
    return f"{to_markdown(rows)}\n{said}"


def _simulate(known: Parameters, effort: Effort, report: Report, images: Path) -> dict[str, str]:
    texts: dict[str, str] = {}
    for found in study(known, effort):
        table = found.tables[-1]
        report.add(table.name, table.title, table.rows)
        texts[table.name] = to_markdown(table.rows)
    print(draw(found, known, images))
    return texts


def _listed(known: Parameters) -> str:
    """Return a table of all parameters; long lists are told by their ends."""
    return to_markdown(
        [
            {
                "parameter": f"`{name}`",
                "value": _short(entry.value),
                "unit": entry.unit,
                "what it is": entry.meaning,
                "whence": f"{entry.kind}: {entry.source}" if entry.kind == "assumed" else entry.kind,
            }
            for name, entry in known.known.items()
        ]
    )


def _short(value: float | list[float]) -> str:
    if isinstance(value, list):
        return f"{value[0]:g} … {value[-1]:g}"
    return f"{value:.3g}" if value < 1e6 else f"{value:.3e}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument(
        "--calibrate", action="store_true", help="measure the costs on this machine: a minute"
    )
    parser.add_argument("--validate", action="store_true", help="measure, simulate, and compare: two minutes")
    parser.add_argument("--quick", action="store_true", help="less of everything: to see that it runs")
    parser.add_argument(
        "--parameters", type=Path, default=PATH, metavar="FILE", help="what it is fed with; default: its own"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("benchmarks/results/simulation"),
        metavar="DIR",
        help="default: benchmarks/results/simulation",
    )
    parser.add_argument(
        "--document", type=Path, metavar="FILE", help="whose tables are written anew: docs/scaling.md"
    )
    parser.add_argument(
        "--images",
        type=Path,
        default=Path("docs/images"),
        metavar="DIR",
        help="where that document's pictures are",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
