"""benchmarks/perf_analyzer.py"""

import pytest

from benchmarks import perf_analyzer
from benchmarks.errors import LoadFailed, NotAvailable
from benchmarks.perf_analyzer import Load, parse_csv, run_perf_analyzer, why_it_cannot_run

HEADER = (
    "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,"
    "Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency"
)
ROW = "8,20.5,10,600,250000,100,47000,900,5,300000,310000,320000,330000"


def test_report():
    """Microseconds become milliseconds, and what is waited stays apart from compute."""
    measured = parse_csv(f"{HEADER}\n{ROW}\n")
    assert (measured.concurrency, measured.frames_per_s) == (8, 20.5)
    assert (measured.p50_ms, measured.p95_ms, measured.p99_ms) == (300.0, 320.0, 330.0)
    assert (measured.waiting_ms, measured.compute_ms) == (250.6, 48.0)


@pytest.mark.parametrize(
    "text", ["", HEADER, "Concurrency\n8\n", f"{HEADER}\n{ROW.replace('20.5', 'many')}\n"]
)
def test_no_report(text):
    """An empty report, one without a row, a column or a number is an error that shows it."""
    with pytest.raises(LoadFailed, match=r"perf_analyzer's report: expected frames, got "):
        parse_csv(text)


def test_program_that_was_not_fetched(tmp_path, monkeypatch):
    """Without the program the measurement is skipped, with the command that fetches it."""
    monkeypatch.setattr(perf_analyzer, "PROGRAM", tmp_path / "perf_analyzer")
    with pytest.raises(NotAvailable, match=r"perf_analyzer is skipped: expected it in .*: make "):
        run_perf_analyzer("127.0.0.1:1", Load("demo", 1, 0.1, 1))


def test_server_that_is_away():
    """What perf_analyzer says about a server that it cannot reach is passed on."""
    with pytest.raises(LoadFailed, match=r"perf_analyzer: expected frames, got .*"):
        run_perf_analyzer("127.0.0.1:9", Load("demo", 1, 0.1, 1))


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program in perf_analyzer's place; it runs what it is given."""

    def write(script):
        path = tmp_path / "perf_analyzer"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(perf_analyzer, "PROGRAM", path)

    return write


def test_why_it_cannot_run(program, tmp_path, monkeypatch):
    """A program that is not there, misses a library, or fails without a word is told in one line."""
    monkeypatch.setattr(perf_analyzer, "PROGRAM", tmp_path / "absent")
    assert why_it_cannot_run().startswith(f"expected it in {tmp_path / 'absent'}, got no such file: make ")
    program("echo 'libb64.so.0d: cannot open' >&2; exit 127")
    assert why_it_cannot_run() == "libb64.so.0d: cannot open"
    program("exit 3")
    assert why_it_cannot_run() == "exit code 3"
    program("echo version")
    assert why_it_cannot_run() == ""


def test_where_it_finds_the_cuda_runtime(program, tmp_path, monkeypatch):
    """The library lies wherever packages are imported from, a folder on PYTHONPATH included; the user's paths stay."""
    folder = tmp_path / "packages" / "nvidia" / "cuda_runtime" / "lib"
    folder.mkdir(parents=True)
    monkeypatch.setattr("sys.path", [str(tmp_path / "packages")])
    monkeypatch.setenv("LD_LIBRARY_PATH", "/the/users")
    program('[ "$LD_LIBRARY_PATH" = "$(dirname "$0")/packages/nvidia/cuda_runtime/lib:/the/users" ]')
    assert why_it_cannot_run() == ""
