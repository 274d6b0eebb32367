"""First of all: are the pictures right? Each library's beside those of ONNX Runtime on the CPU in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.gpu.engines import open_engine
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.frames import clip_frames
from benchmarks.gpu.libraries import ORT_CPU
from benchmarks.gpu.networks import network_file
from benchmarks.gpu.onnx_engine import OnnxEngine
from benchmarks.gpu.settings import Settings

__all__ = ["compare", "measure"]


def measure(
    settings: Settings, findings: Findings, library: str, precisions: list[str], avatars: list[str]
) -> None:
    """Compare the pictures of a few frames, of each network and precision.

    Raises:
        BenchmarkError: If the library cannot run here; what was compared before stays.
        ExportError: If TensorRT cannot build the network.
    """
    frames = clip_frames(settings, settings.frames)
    references: dict[str, NDArray[np.uint8]] = {}
    for precision in precisions:
        for avatar in avatars:
            if avatar not in references:
                references[avatar] = _reference(settings, avatar, frames)
            engine = open_engine(settings, findings, library, avatar, precision)
            picture = _in_pairs(engine, frames)
            findings.row(
                "parity",
                library=library,
                precision=precision,
                network=avatar,
                frames=settings.frames,
                **compare(picture, references[avatar]),
            )


def compare(picture: NDArray[np.uint8], reference: NDArray[np.uint8]) -> dict[str, float]:
    """Return how far pictures of one shape are apart, in levels of 0 to 255."""
    apart = np.abs(picture.astype(np.int16) - reference.astype(np.int16))
    return {
        "most, levels": int(apart.max()),
        "mean, levels": float(apart.mean()),
        "equal bytes, %": 100.0 * float((apart == 0).mean()),
    }


def _reference(settings: Settings, avatar: str, frames: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
    path = network_file(settings, avatar, "fp32")
    engine = OnnxEngine(path, ORT_CPU, "fp32", 1, settings.folder)
    return _in_pairs(engine, frames)


def _in_pairs(engine: Any, frames: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """Run two frames at a time, so that a mistake in batches is seen, and the last alone where their number is odd."""
    pictures = []
    count = len(frames["face"])
    for start in range(0, count, 2):
        pair = {name: np.ascontiguousarray(array[start : start + 2]) for name, array in frames.items()}
        pictures.append(engine.runner(len(pair["face"]), graph=False).run(pair).copy())
    return np.concatenate(pictures)
