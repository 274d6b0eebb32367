"""benchmarks/perf_analyzer.py"""

import pytest

from benchmarks import perf_analyzer
from benchmarks.errors import LoadFailed, NotAvailable
from benchmarks.perf_analyzer import Load, parse_csv, run_perf_analyzer

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
