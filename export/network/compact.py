"""Write ONNX files, on request of half the size: float16 weights that become float32 when the file is loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from export.files import replacing_file

__all__ = ["store_half", "write_model"]

SMALLEST_COUNT = 64
"""Smaller tensors stay: biases and constants are exact, and there is little to save."""


def write_model(model: ModelProto, path: Path, compact: bool) -> None:
    """Write a model, whole or not at all, and say its size.

    Raises:
        OSError: If the disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as new:
        onnx.save(store_half(model) if compact else model, new)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def store_half(model: ModelProto) -> ModelProto:
    """Return a copy whose float32 weights are stored as float16, each followed by a Cast back.

    ONNX Runtime and TensorRT fold the casts when they load it, so it runs as fast as before; the weights lose what
    float16 cannot hold (a relative 5e-4).
    """
    compact = ModelProto()
    compact.CopyFrom(model)
    graph = compact.graph
    casts = []
    for initializer in graph.initializer:
        array = numpy_helper.to_array(initializer)
        if array.dtype != np.float32 or array.size < SMALLEST_COUNT:
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return compact
