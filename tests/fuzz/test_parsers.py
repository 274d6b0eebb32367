"""Every parser copes with what was once a fault, and with some thousand new inputs; a long run is `make fuzz`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.mutate import mutated
from tests.fuzz.names import NAMES
from tests.fuzz.parser import KEPT, Parser
from tests.fuzz.run import fuzz
from tests.fuzz.table import PARSERS

ROOT = Path(__file__).parents[2]
SECONDS = 0.5
NUMBER = 7
KEPT_INPUTS = [path for name in NAMES for path in PARSERS[name].kept()]


def test_names() -> None:
    """The command line knows every parser, and no input is kept for one that there is not."""
    assert tuple(PARSERS) == NAMES
    assert {path.name for path in KEPT.iterdir() if path.is_dir()} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_seeds(name: str) -> None:
    """What inputs are made of is taken or refused, and there is some."""
    seeds = PARSERS[name].seeds()
    assert seeds
    for seed in seeds:
        PARSERS[name].try_it(seed)


@pytest.mark.parametrize("path", KEPT_INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_kept_inputs(path: Path) -> None:
    """An input that once was a fault is taken or refused, in little time and memory."""
    parser = PARSERS[path.parent.name]
    alone = Parser(
        name="alone", parse=parser.parse, refuses=parser.refuses, seeds=list, encoding=parser.encoding
    )
    report = fuzz(alone, NUMBER, 0, 1, content_of=lambda _: path.read_bytes())
    assert report.faults == []
    assert report.taken + report.refused == 1


@pytest.mark.parametrize("name", NAMES)
def test_short_run(name: str) -> None:
    """Half a second of new inputs has no fault."""
    report = fuzz(PARSERS[name], NUMBER, 0, PARSERS[name].runs, seconds=SECONDS)
    assert [fault.what for fault in report.faults] == []
    assert report.taken + report.refused >= 1


def _parser(parse: object) -> Parser:
    return Parser(name="of a test", parse=parse, refuses=(ValueError,), seeds=lambda: [b"seed 7"])  # type: ignore[arg-type]


def test_inputs_can_be_made_again() -> None:
    """The same number and index give the same input, others give others."""
    series = [[mutated([b"one", b"two"], number, index) for index in range(100)] for number in (1, 1, 2)]
    assert series[0] == series[1] != series[2]
    assert len(set(series[0])) > 50


def test_an_exception_is_a_fault() -> None:
    """An exception that is no refusal is told once for each place, with its input; a refusal is counted."""

    def parse(content: bytes) -> None:
        if b"7" in content:
            raise ValueError("expected no 7")
        raise KeyError(content)

    report = fuzz(_parser(parse), 1, 0, 200)
    assert report.refused > 50
    assert len(report.faults) == 1
    assert "KeyError" in report.faults[0].what
    assert report.faults[0].content == mutated([b"seed 7"], 1, report.faults[0].index)


def test_a_refusal_needs_a_sentence() -> None:
    """An empty sentence is a fault, as is one that is as long as the input."""
    for sentence in ("", "a" * 5000):

        def parse(_: bytes, sentence: str = sentence) -> None:
            raise ValueError(sentence)

        assert "sentence" in fuzz(_parser(parse), 1, 0, 1).faults[0].what


def test_a_hang_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that does not come back is interrupted."""

    def parse(_: bytes) -> None:
        while True:
            pass

    monkeypatch.setattr("tests.fuzz.run.LONGEST_S", 0.05)
    (fault,) = fuzz(_parser(parse), 1, 0, 2).faults
    assert fault.what.startswith("took more than 0.05 s of the processor")


def test_growth_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that keeps what it was fed is told by what it has grown."""
    monkeypatch.setattr("tests.fuzz.run.GROWTH_BYTES", 16 << 20)
    kept: list[bytes] = []
    (fault,) = fuzz(_parser(lambda content: kept.append(content + b"a" * 1_000_000)), 1, 0, 100).faults
    assert fault.what.startswith("grew by ")
    assert kept


def test_the_command(tmp_path: Path) -> None:
    """A run of one parser prints what it did; the same input can be had alone, by its index."""
    command = [sys.executable, "-m", "tests.fuzz", "--parser", "speech_event", "--folder", str(tmp_path)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "clients" / "python")])
    for options, inputs in ((["--runs", "50"], "50"), (["--first", "7", "--runs", "1"], "1")):
        done = subprocess.run(
            [*command, *options],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"speech_event: {inputs} inputs in ")
        assert done.stdout.endswith(", 0 faults\n")
