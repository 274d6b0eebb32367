"""The network's files under the site, in each precision: carried there, or made from code alone."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto

from benchmarks.errors import NotAvailable
from benchmarks.gpu.settings import BadSetting, Settings
from benchmarks.site import NETWORK_FILE, load_network
from export.files import replacing_file
from export.network.half import to_half
from export.network.rewrite.algebra import fold_stored_halves
from export.network.rewrite.graph import Graph

__all__ = ["PRECISIONS", "network_file"]

PRECISIONS = ("fp16", "tf32", "fp32")
"""``tf32`` and ``fp32`` are one file: how a card multiplies is an option of the runtime."""


def network_file(settings: Settings, avatar: str, precision: str) -> Path:
    """Return a network's file in a precision, made if it is not there.

    Raises:
        BadSetting: If there is no such precision.
        NotAvailable: If the network was neither carried here nor can be made.
    """
    if precision not in PRECISIONS:
        raise BadSetting("precision", f"one of {', '.join(PRECISIONS)}", precision)
    kind = "fp16" if precision == "fp16" else "fp32"
    path = settings.folder / "networks" / f"{avatar}_{kind}.onnx"
    if not path.is_file():
        model = _full(settings, avatar)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(path) as new:
            onnx.save(to_half(model) if kind == "fp16" else model, new)
    return path


def _full(settings: Settings, avatar: str) -> ModelProto:
    """Return a network with float32 weights, also where its file holds float16 ones to be small."""
    try:
        graph = Graph(load_network(settings.folder, avatar))
    except ImportError as exc:
        carried = settings.folder / NETWORK_FILE.format(name=avatar)
        remedy = "carry what --prepare writes, or install torch"
        raise NotAvailable(
            f"the network '{avatar}'", f"expected {carried}, got no such file: {remedy}"
        ) from exc
    fold_stored_halves(graph)
    return graph.model()
