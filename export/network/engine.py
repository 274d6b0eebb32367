"""ONNX to a TensorRT engine (``model.plan``), through the API that ``tensorrt`` and ``tensorrt_rtx`` share.

A plan belongs to the TensorRT release and the GPU family it was built for: build it with the TensorRT of the
very container that serves it. ``tensorrt_rtx`` builds ahead of time on a machine without a GPU.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from onnx import ModelProto

from export.contract import MAX_BATCH_SIZE
from export.errors import EngineFailed, MissingExtra
from export.files import replacing_file
from export.network.borders import tensor_shapes

__all__ = ["BatchProfile", "build_engine", "collecting_logger", "load_tensorrt"]


@dataclass(frozen=True)
class BatchProfile:
    """The batch sizes an engine is optimised for: smallest, most frequent, greatest."""

    minimum: int = 1
    optimum: int = 8
    maximum: int = MAX_BATCH_SIZE


def load_tensorrt() -> ModuleType:
    """Import ``tensorrt``, else ``tensorrt_rtx``.

    Raises:
        MissingExtra: If neither is installed.
    """
    for name in ("tensorrt", "tensorrt_rtx"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise MissingExtra("tensorrt or tensorrt_rtx", "tensorrt")


def build_engine(
    model: ModelProto, profile: BatchProfile, timing_cache: Path | None = None, trt: ModuleType | None = None
) -> bytes:
    """Build a strongly typed engine: it computes in the precision that the ONNX file was exported with.

    Args:
        model: A served graph (uint8 borders).
        profile: Batch sizes of the one optimisation profile.
        timing_cache: A file that keeps what TensorRT measured of kernels, so that the next build on the same GPU takes
            a fraction of the time; made if it is not there. TensorRT for RTX measures on the user's GPU and has none.
        trt: ``tensorrt`` or ``tensorrt_rtx``; found by itself when absent.

    Raises:
        EngineFailed: If TensorRT cannot parse or build it; the text is TensorRT's own.
        MissingExtra: If no TensorRT is installed.
    """
    trt = trt or load_tensorrt()
    if trt.__name__ == "tensorrt_rtx":
        timing_cache = None  # its calls do nothing and warn
    log = collecting_logger(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model.SerializeToString()):
        errors = "; ".join(parser.get_error(index).desc() for index in range(parser.num_errors))
        raise EngineFailed(f"TensorRT cannot parse the network: {' '.join(errors.split())}")
    config = builder.create_builder_config()
    config.add_optimization_profile(_optimisation_profile(builder, model, profile))
    if timing_cache is not None:
        _read_timings(config, timing_cache)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineFailed(f"TensorRT cannot build the engine: {log.last}")
    if timing_cache is not None:
        _write_timings(config, timing_cache)
    return bytes(plan)


def _read_timings(config: Any, path: Path) -> None:
    cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
    if cache is not None:
        config.set_timing_cache(cache, ignore_mismatch=False)


def _write_timings(config: Any, path: Path) -> None:
    cache = config.get_timing_cache()
    content = bytes(cache.serialize()) if cache is not None else b""
    if content:
        with replacing_file(path) as new:
            new.write_bytes(content)


def _optimisation_profile(builder: Any, model: ModelProto, profile: BatchProfile) -> Any:
    optimisation = builder.create_optimization_profile()
    for name, (_, *shape) in tensor_shapes(list(model.graph.input)).items():
        sizes = [(size, *shape) for size in (profile.minimum, profile.optimum, profile.maximum)]
        optimisation.set_shape(name, *sizes)
    return optimisation


def collecting_logger(trt: ModuleType) -> Any:
    """Return a logger for a TensorRT package that keeps the text of the last error as ``last``."""
    base: Any = trt.ILogger

    class LastError(base):  # type: ignore[misc]  # the base is known only at run time
        last = "no reason given"

        def __init__(self) -> None:
            super().__init__()

        def log(self, severity: Any, text: str) -> None:
            if severity <= trt.ILogger.Severity.ERROR:
                self.last = text

    return LastError()
