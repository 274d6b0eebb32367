"""The rewritings in their order, and what they apply to."""

from __future__ import annotations

from onnx import ModelProto

from export.network.borders import SCALE_OUT
from export.network.rewrite.algebra import compose_projections, fold_stored_halves, split_concatenations
from export.network.rewrite.graph import Graph
from export.network.rewrite.layout import group_hidden_channels, move_sigmoid_last, pad_channels

__all__ = ["rewrite_for_cpu"]


def rewrite_for_cpu(model: ModelProto) -> ModelProto:
    """Return a graph of the same function that ONNX Runtime runs faster on a CPU; ``model`` stays as it is.

    Returned as it is: a float16 network, which is for GPUs, and a graph whose borders are not ``add_borders``'.
    """
    if SCALE_OUT not in {node.name for node in model.graph.node}:
        return model
    graph = Graph(model)
    fold_stored_halves(graph)
    kinds = {weight.dtype for weight in graph.weights.values() if weight.ndim == 4}
    if [kind.name for kind in kinds] != ["float32"]:
        return model
    for rewriting in (
        split_concatenations,
        compose_projections,
        pad_channels,
        group_hidden_channels,
        move_sigmoid_last,
    ):
        rewriting(graph)
    return graph.model()
