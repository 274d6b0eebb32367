"""Feed a parser inputs and watch it: exceptions that are no refusal, answers that are wrong, hangs, growth."""

from __future__ import annotations

import contextlib
import gc
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.mutate import mutated
from tests.fuzz.parser import Parser

__all__ = ["Fault", "Report", "fuzz", "series_of"]

LONGEST_S = 5.0
"""Of processor time, so that a busy machine is no hang."""

GROWTH_BYTES = 64 << 20
ONE_INPUT_BYTES = 1 << 30
"""The largest picture that is taken has 36 million pixels; OpenCV decodes it in 0.7 GB."""

WARM_UP = 2_000
EVERY, EVERY_RUNS = 100, 100_000


class Hang(BaseException):
    """Raised in a parser that takes too long; nothing catches it by accident."""


@dataclass(frozen=True)
class Fault:
    """An input that a parser could not cope with, which it was, and what happened."""

    index: int
    content: bytes
    what: str


@dataclass
class Report:
    """What a run did."""

    taken: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    grown_bytes: int = 0
    faults: list[Fault] = field(default_factory=list)


def series_of(parser: Parser) -> list[bytes]:
    """Return what a parser's inputs are made of."""
    return parser.seeds() + [path.read_bytes() for path in parser.kept()]


def fuzz(
    parser: Parser,
    number: int,
    first: int,
    count: int,
    seconds: float = float("inf"),
    watch: Callable[[int, bytes], None] = lambda index, content: None,
    content_of: Callable[[int], bytes] | None = None,
) -> Report:
    """Feed ``count`` inputs of the series ``number``, from ``first`` on, or as many as fit into some time.

    ``watch`` is told each input before it is fed; ``content_of`` makes other inputs than the series has.
    """
    seeds, report, until_s = series_of(parser), Report(), time.monotonic() + seconds
    content_of = content_of or (lambda index: mutated(seeds, number, index))
    seen: set[str] = set()
    after_warm_up = None
    every = 1 if parser.runs < EVERY_RUNS else EVERY
    with _alarm(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries, about what they cannot read
        for index in range(first, first + count):
            content = content_of(index)
            watch(index, content)
            what = _feed(parser, content, report)
            if what and _where(what) not in seen:
                seen.add(_where(what))
                report.faults.append(Fault(index, content, what))
            if index - first == min(WARM_UP, count // 2):
                after_warm_up = _resident_bytes()
            if index % every == 0 and time.monotonic() > until_s:
                break
    gc.collect()
    if after_warm_up is not None:
        report.grown_bytes = max(0, _resident_bytes() - after_warm_up)
        if report.grown_bytes > GROWTH_BYTES:
            report.faults.append(
                Fault(first, b"", f"grew by {report.grown_bytes >> 20} MiB in {count} inputs")
            )
    return report


def _feed(parser: Parser, content: bytes, report: Report) -> str | None:
    """Feed one input; return what went wrong, if anything did."""
    before_bytes, start_s = _peak_bytes(), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        taken = parser.try_it(content)
    except Hang:
        return f"took more than {LONGEST_S:g} s of the processor\n{traceback.format_exc()}"
    except Exception:
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    report.taken += taken
    report.refused += not taken
    report.slowest_s = max(report.slowest_s, time.process_time() - start_s)
    used = _peak_bytes() - before_bytes
    return f"took {used >> 20} MiB for one input of {len(content)} bytes" if used > ONE_INPUT_BYTES else None


def _where(what: str) -> str:
    """Return what makes two faults one: the innermost line of the traceback."""
    lines = [line for line in what.splitlines() if line.startswith("  File ")]
    return lines[-1] if lines else what.partition(" ")[0]


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, ring)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)
