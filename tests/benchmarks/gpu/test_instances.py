"""benchmarks/gpu/instances.py; on the real Triton in test_main.py"""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.errors import NotAvailable
from benchmarks.gpu import instances, served
from benchmarks.gpu.settings import CUDA, Settings
from tests.benchmarks.gpu.told import Told


def test_memory_of_instances(
    settings: Settings, without_triton: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the card holds more than before is Triton's, and is divided by the instances."""
    used = iter([1000, 3000, 1000, 5000])
    monkeypatch.setattr(instances, "used_mebibytes", lambda: next(used))
    monkeypatch.setattr(instances, "triton_bytes", lambda port: 0)
    monkeypatch.setattr(served, "describe_card", lambda fields: {})
    told = Told()
    instances.measure(replace(settings, device=CUDA), told, "tensorrt")
    cells = [
        (row["instances"], row["card, MiB"], row["card an instance, MiB"]) for row in told.rows["instances"]
    ]
    assert cells == [(1, 2000, 2000.0), (2, 4000, 2000.0)]


def test_memory_that_nobody_tells(
    settings: Settings, without_triton: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the driver's tool frames are counted all the same, and the card's memory is left open."""

    def missing() -> int:
        raise NotAvailable("nvidia-smi", "not here")

    monkeypatch.setattr(instances, "used_mebibytes", missing)
    monkeypatch.setattr(instances, "triton_bytes", lambda port: 5 << 20)
    monkeypatch.setattr(served, "describe_card", lambda fields: {})
    told = Told()
    instances.measure(replace(settings, device=CUDA), told, "tensorrt")
    first = told.rows["instances"][0]
    assert (first["card, MiB"], first["host, MiB"], first["frames/s"]) == ("", 5.0, 8000.0)


def test_no_time_left(settings: Settings, without_triton: list[str]) -> None:
    """With no time for a measurement the step ends by itself, and says what is missing."""
    told = Told(left_s=0.1)
    instances.measure(settings, told, "onnxruntime")
    assert told.notes == {"instances": ["No time was left for 1."]}
