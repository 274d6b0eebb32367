"""lipsync_client/comparison.py"""

from __future__ import annotations

import json

import pytest

from lipsync_client import UnknownModel
from lipsync_client.comparison import Comparison
from lipsync_client.summary import Summary


def summary(number: int, frames: int, elapsed_s: float) -> Summary:
    """Return the run of a server that took 10 ms for each frame."""
    return Summary(f"grpc://host:{number}", "demo", elapsed_s, [10.0] * frames)


def compared(servers: int, total_fps: float) -> Comparison:
    """Return a comparison with servers of 50 frames a second alone, and ``total_fps`` together."""
    elapsed_s = 50 * servers / total_fps
    together = [summary(number, 50, elapsed_s) for number in range(servers)]
    return Comparison(summary(0, 50, 1.0), together, elapsed_s)


def test_text() -> None:
    """Each server has its lines, then come aggregate, speed-up and recommendation."""
    assert compared(2, 90).to_text() == (
        "Server 1 (grpc://host:0):\n   Requests: 50/50 successful\n   Latency: 10.0ms avg, 10.0ms p95\n"
        "   Throughput: 45.0 FPS\n\n"
        "Server 2 (grpc://host:1):\n   Requests: 50/50 successful\n   Latency: 10.0ms avg, 10.0ms p95\n"
        "   Throughput: 45.0 FPS\n\n"
        "AGGREGATE RESULTS\nServer 1 alone: 50.0 FPS\nTotal throughput: 90.0 FPS\nSpeedup: 1.8x\n"
        "Every server adds its share: use all 2, and try more."
    )


@pytest.mark.parametrize(
    ("servers", "total_fps", "recommendation"),
    [
        (1, 50, "One server has nothing to be compared with: name several."),
        (4, 185, "Every server adds its share: use all 4, and try more."),
        (2, 71, "Every server adds its share: use all 2, and try more."),
        (2, 69, "Use 2 servers: more add little here."),
        (8, 150, "Use 3 servers: more add little here."),
        (4, 70, "Use 2 servers: more add little here."),
        (
            4,
            55,
            "Use one server, with dynamic batching (strategy batching or hybrid): more share one device's time.",
        ),
    ],
)
def test_recommendations(servers: int, total_fps: float, recommendation: str) -> None:
    """What to do follows from the speed-up and how many servers it took."""
    assert compared(servers, total_fps).recommendation == recommendation


def test_failures() -> None:
    """Failed requests are shown with their server, and come before any advice."""
    comparison = compared(2, 90)
    comparison.together[1].add_error(UnknownModel("demo", "grpc://host:1", "not loaded"))
    text = comparison.to_text()
    assert "Requests: 50/51 successful" in text
    assert "   Error (1x): " in text
    assert comparison.failed == 1
    assert comparison.recommendation == "Requests failed: 1; mend that first."


def test_nothing_answered() -> None:
    """Without a single answer there is no speed-up, and no crash."""
    comparison = Comparison(summary(0, 0, 0.0), [summary(0, 0, 0.0)], 0.0)
    assert (comparison.speedup, comparison.throughput_fps) == (0.0, 0.0)
    assert "Latency" not in comparison.to_text()


def test_dict() -> None:
    """The same facts are there for programs."""
    facts = json.loads(json.dumps(compared(2, 90).to_dict()))
    assert facts["speedup"] == pytest.approx(1.8)
    assert [server["url"] for server in facts["servers"]] == ["grpc://host:0", "grpc://host:1"]
