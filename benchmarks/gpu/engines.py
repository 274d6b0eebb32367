"""Open a network on any of the libraries; TensorRT's engines are built where they are not there yet."""

from __future__ import annotations

import importlib
import re
import time
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from benchmarks.errors import NotAvailable
from benchmarks.gpu.device import open_device
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.libraries import TENSORRT, TENSORRT_RTX
from benchmarks.gpu.memory import gpu_name
from benchmarks.gpu.networks import network_file
from benchmarks.gpu.onnx_engine import OnnxEngine
from benchmarks.gpu.settings import Settings
from benchmarks.gpu.tensorrt_engine import TensorRtEngine
from export.files import replacing_file
from export.network.engine import BatchProfile, build_engine

__all__ = ["Engine", "Runner", "open_engine", "plan_file"]

OPTIMUM = 16
PLANS = "plans"


class Runner(Protocol):
    """Batches of one size."""

    def run(self, feed: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Copy a batch to the device, compute, and copy the pictures back."""

    def compute(self) -> None:
        """Compute on what was copied last, and wait for it."""


class Engine(Protocol):
    """A network on a device.

    Attributes:
        has_graphs: Whether it can launch a batch as one CUDA graph.
    """

    has_graphs: bool

    def runner(self, batch_size: int, graph: bool) -> Runner:
        """Return what runs batches of one size."""


def open_engine(settings: Settings, findings: Findings, library: str, avatar: str, precision: str) -> Engine:
    """Return a network on a library.

    Raises:
        BenchmarkError: If it cannot run here.
        ExportError: If TensorRT cannot build it.
    """
    path = network_file(settings, avatar, precision)
    if library not in (TENSORRT, TENSORRT_RTX):
        cache = settings.folder / PLANS / library
        return OnnxEngine(path, library, precision, settings.largest_batch, cache)
    trt = importlib.import_module(library)
    device = open_device(settings)  # before the engine: without a card there is no use in building
    plan = plan_file(settings, findings, trt, avatar, precision)
    return TensorRtEngine(plan.read_bytes(), device, trt)


def plan_file(settings: Settings, findings: Findings, trt: ModuleType, avatar: str, precision: str) -> Path:
    """Return the file of an engine for this card and this release of TensorRT, built if it is not there."""
    parts = [
        trt.__name__,
        str(trt.__version__),
        _card(settings),
        avatar,
        precision,
        str(settings.largest_batch),
    ]
    path = settings.folder / PLANS / f"{re.sub(r'[^A-Za-z0-9.]+', '-', '_'.join(parts))}.plan"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        start_s = time.monotonic()
        profile = BatchProfile(1, min(OPTIMUM, settings.largest_batch), settings.largest_batch)
        model = onnx.load(network_file(settings, avatar, precision))
        plan = build_engine(model, profile, path.parent / "timing.cache", trt)
        with replacing_file(path) as new:
            new.write_bytes(plan)
        took_s = time.monotonic() - start_s
        findings.note(
            "engine",
            f"{trt.__name__}: '{avatar}' in {precision} built in {took_s:.1f} s, {len(plan) / 1e6:.0f} MB",
        )
    return path


def _card(settings: Settings) -> str:
    if not settings.has_card:
        return "no card"
    try:
        return gpu_name()
    except NotAvailable:  # the driver's tool may be missing where its libraries are not
        return "card"
