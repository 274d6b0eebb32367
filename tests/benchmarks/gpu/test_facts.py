"""benchmarks/gpu/facts.py"""

from __future__ import annotations

from dataclasses import replace

import onnx
import pytest

from benchmarks.errors import NotAvailable
from benchmarks.gpu import facts
from benchmarks.gpu.settings import CUDA, Settings
from embedded.errors import NotInstalled
from tests.benchmarks.gpu.told import Told


def values(told: Told) -> dict[str, str]:
    return {row["what"]: row["value"] for row in told.rows["facts"]}


def test_on_a_stand_in(settings: Settings) -> None:
    """A report of a stand-in says of itself that its figures say nothing."""
    told = Told()
    facts.measure(settings, told)
    said = values(told)
    assert said["card"] == "none: its place is taken by the CPU, so no figure says anything"
    assert "cores of " in said["machine"]
    assert f"onnx {onnx.__version__}, " in said["packages"]
    assert said["Triton"].endswith("/tritonserver/bin/tritonserver")
    assert {library["name"] for library in told.facts["libraries"]} == {
        "onnxruntime-cpu",
        "tensorrt",
        "tensorrt_rtx",
    }
    assert "no card" not in told.facts


def test_on_a_card(settings: Settings, driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the driver's tool tells of the card is there field by field."""
    monkeypatch.setattr(facts, "describe_card", lambda: {"name": "NVIDIA H200", "power.limit": "700 W"})
    told = Told()
    facts.measure(replace(settings, device=CUDA), told)
    assert (values(told)["name"], values(told)["power.limit"]) == ("NVIDIA H200", "700 W")
    assert "no card" not in told.facts


def test_nothing_is_there(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tool, driver, server and load generator each is a line, and the run learns that there is no card."""

    def missing() -> None:
        raise NotAvailable("nvidia-smi", "not here")

    def not_installed() -> None:
        raise NotInstalled("the Triton server", "pip install it")

    def no_device(settings: Settings) -> None:
        raise NotAvailable("the GPU benchmark", "no CUDA device")

    monkeypatch.setattr(facts, "describe_card", missing)
    monkeypatch.setattr(facts, "find_installation", not_installed)
    monkeypatch.setattr(facts, "open_device", no_device)
    monkeypatch.setattr(facts, "why_it_cannot_run", lambda: "libb64.so.0d is not there")
    told = Told()
    facts.measure(replace(settings, device=CUDA), told)
    said = values(told)
    assert said["card"] == "nvidia-smi is skipped: not here"
    assert said["Triton"] == "missing: the Triton server is not installed: pip install it"
    assert said["load generator"] == (
        "our own, in processes of Python, as perf_analyzer cannot run: libb64.so.0d is not there"
    )
    assert told.facts["no card"] == "the GPU benchmark is skipped: no CUDA device"
