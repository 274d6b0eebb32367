"""The arithmetic and the text of a summary."""

from __future__ import annotations

import pytest

from lipsync_client.errors import ServerUnavailable
from lipsync_client.summary import Summary, percentile


@pytest.mark.parametrize(
    ("values", "rank", "expected"),
    [
        ([15, 20, 35, 40, 50], 30, 20),  # the textbook's example of nearest rank
        ([15, 20, 35, 40, 50], 40, 20),
        ([15, 20, 35, 40, 50], 50, 35),
        ([15, 20, 35, 40, 50], 100, 50),
        (list(range(1, 101)), 99, 99),
        ([7], 1, 7),
    ],
)
def test_percentile(values: list[float], rank: int, expected: float) -> None:
    """Percentiles are by nearest rank: always a value that was measured."""
    assert percentile(values, rank) == expected


def test_text_of_a_run_without_errors() -> None:
    """The text has the predecessor's lines, then the percentiles."""
    summary = Summary("grpc://x:8001", "demo", elapsed_s=1.72)
    for latency_ms in [15.1] + [17.2] * 98 + [22.3]:
        summary.add_success(latency_ms)
    assert summary.to_text().splitlines() == [
        "Total: 100 requests in 1.72s",
        "Success rate: 100.0%",
        "Throughput: 58.1 FPS",
        "Avg latency: 17.2ms",
        "Min: 15.1ms, Max: 22.3ms",
        "p50: 17.2ms, p95: 17.2ms, p99: 17.2ms",
    ]


def test_distinct_errors_are_counted() -> None:
    """Errors count as requests, not as frames, and equal ones are one line, the commonest first."""
    summary = Summary("grpc://x:8001", "demo", elapsed_s=2.0)
    summary.add_success(10.0)
    for reason in ("reset", "refused", "refused"):
        summary.add_error(ServerUnavailable("grpc://x:8001", reason))
    lines = summary.to_text().splitlines()
    assert lines[:3] == ["Total: 4 requests in 2.00s", "Success rate: 25.0%", "Throughput: 0.5 FPS"]
    assert lines[-2:] == [
        "Error (2x): expected a Triton server at grpc://x:8001, got no answer: refused",
        "Error (1x): expected a Triton server at grpc://x:8001, got no answer: reset",
    ]


def test_empty_run() -> None:
    """A run stopped before its first answer divides by nothing."""
    summary = Summary("grpc://x:8001", "demo")
    assert summary.to_text().splitlines() == [
        "Total: 0 requests in 0.00s",
        "Success rate: 0.0%",
        "Throughput: 0.0 FPS",
    ]
    assert summary.to_dict()["latency_ms"] is None
