"""The engine alone, on the GPU: frames per second by batch size, with pictures going in and out over PCIe."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.errors import NotAvailable
from benchmarks.statistics import Latencies, timed_round
from benchmarks.table import Row
from export.contract import UNET_328
from speech.contract import AUDIO_SHAPES

__all__ = ["measure_engine", "open_device"]

BACKEND = Path("embedded/backends/tensorrt")
BATCH_SIZES = (1, 2, 4, 8, 16)
WARM_UP_BATCHES = 20


def open_device(index: int = 0) -> Any:
    """Return the GPU that the ``tensorrt`` stand-in would run on.

    Raises:
        NotAvailable: If there is none.
    """
    sys.path.insert(0, str(BACKEND.resolve()))
    from cuda_device import CudaError, Device  # type: ignore[import-not-found]  # found through sys.path

    try:
        return Device(index)
    except CudaError as exc:
        raise NotAvailable("the GPU benchmark", str(exc)) from exc


def measure_engine(plan: Path, device: Any, duration_s: float) -> list[Row]:
    """Return a row per batch size.

    Raises:
        NotAvailable: If TensorRT refuses the plan on this GPU.
    """
    from plan import Engine  # type: ignore[import-not-found]  # open_device extended sys.path

    try:
        engine = Engine(plan.read_bytes(), device)
    except (ImportError, ValueError) as exc:
        raise NotAvailable(f"the engine {plan}", str(exc)) from exc
    return [_row(engine, batch_size, duration_s) for batch_size in BATCH_SIZES]


def _row(engine: Any, batch_size: int, duration_s: float) -> Row:
    rng = np.random.default_rng(batch_size)
    feed = {
        "face": rng.integers(0, 256, (batch_size, UNET_328.face_size, UNET_328.face_size, 3), dtype=np.uint8),
        "audio": rng.normal(size=(batch_size, *AUDIO_SHAPES["ave"])).astype(np.float32),
    }
    timed_round(lambda: engine.run(feed), WARM_UP_BATCHES)
    latencies_ms: list[float] = []
    end_s = time.perf_counter() + duration_s
    while time.perf_counter() < end_s:
        latencies_ms += timed_round(lambda: engine.run(feed), 1).latencies_ms
    percentiles = Latencies.of(latencies_ms)
    return {
        "batch": batch_size,
        "frames/s": batch_size * 1000 * len(latencies_ms) / sum(latencies_ms),
        "p50_ms": percentiles.p50_ms,
        "p95_ms": percentiles.p95_ms,
        "p99_ms": percentiles.p99_ms,
    }
