"""benchmarks/overhead.py; on the real Triton in test_main.py"""

import pytest
from tritonclient.grpc import service_pb2

from benchmarks.overhead import Overhead, Stage, median_of, stages_between


def reading(count, queue_ns, infer_ns):
    statistics = service_pb2.ModelStatistics()
    statistics.inference_stats.success.count = count
    statistics.inference_stats.queue.ns = queue_ns
    statistics.inference_stats.compute_infer.ns = infer_ns
    return statistics


def test_stage_is_a_difference():
    """What was counted before the measurement is no part of it; the mean is per frame."""
    stage = stages_between(reading(10, 5_000_000, 100_000_000), reading(14, 9_000_000, 300_000_000))
    assert stage == Stage(queue_ms=1.0, input_ms=0.0, infer_ms=50.0, output_ms=0.0)


def test_rest_is_what_no_stage_has():
    """All that the network does not compute is overhead, and what no model accounts for has a row of its own."""
    stages = {"a_frames": Stage(0.1, 0.1, 0.2, 0.1), "a_unet": Stage(0.1, 0.1, 50.0, 0.1)}
    overhead = Overhead(52.0, stages, "a_unet")
    assert overhead.besides_network_ms == pytest.approx(2.0)
    rows = {row["stage"]: row["total_ms"] for row in overhead.rows()}
    assert rows["gRPC, ensemble, client"] == pytest.approx(1.2)
    assert rows["whole frame"] == 52.0


def test_median_of_turns():
    """The turn whose overhead is in the middle stands for all, whole, so that its rows add up."""

    def turn(client_ms, queue_ms):
        return Overhead(client_ms, {"a_unet": Stage(queue_ms, 0.0, 50.0, 0.0)}, "a_unet")

    assert median_of([turn(52.0, 0.1), turn(900.0, 0.3), turn(53.0, 0.2)]) == turn(53.0, 0.2)
