"""Rewritings that save arithmetic on any machine: each is an identity of linear maps, exact but for rounding."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, helper

from export.network.rewrite.graph import Graph, Weights, attributes, is_pointwise

__all__ = ["compose_projections", "fold_stored_halves", "split_concatenations"]


def fold_stored_halves(graph: Graph) -> None:
    """Turn float16 weights that a Cast brings back to float32 (``store_half``) into float32 weights."""
    casts = [node for node in graph.nodes if node.op_type == "Cast" and node.input[0] in graph.weights]
    for node in casts:
        dtype = helper.tensor_dtype_to_np_dtype(attributes(node)["to"])
        graph.weights[node.output[0]] = graph.weights.pop(node.input[0]).astype(dtype)
    graph.nodes = [node for node in graph.nodes if node.output[0] not in graph.weights]


def split_concatenations(graph: Graph) -> None:
    """Replace W·[up(a), b] by up(V·a) + U·b, where W = [V, U] is a 1x1 convolution and up bilinear.

    Bilinear weights sum to 1, so mixing channels commutes with upsampling. V then runs on a quarter of the pixels,
    and the concatenation is gone.
    """
    producers = graph.producers()
    for node in list(graph.nodes):
        if not is_pointwise(node, graph.weights):
            continue
        concat = producers.get(node.input[0])
        resize = producers.get(concat.input[0]) if concat is not None else None
        if concat is None or resize is None or not _is_upsampled_pair(concat, resize):
            continue
        weight, bias = _weight_and_bias(graph, node)
        stem = node.input[1]
        channels = weight.shape[1] - _channels_of(graph, concat.input[1])
        coarse = graph.make(
            "Conv", [resize.input[0], graph.add_weight(stem, weight[:, :channels])], f"{stem}/up"
        )
        spread = graph.make("Resize", [coarse.output[0], *resize.input[1:]], stem, **_given(resize))
        fine_inputs = [graph.add_weight(stem, weight[:, channels:]), graph.add_weight(stem, bias)]
        fine = graph.make("Conv", [concat.input[1], *fine_inputs], f"{stem}/skip")
        both = graph.make("Add", [fine.output[0], spread.output[0]], stem)
        graph.replace(node, [coarse, spread, fine, both])


def compose_projections(graph: Graph) -> None:
    """Replace E·(P·x) by (E·P)·x, where P is a 1x1 convolution to more channels than it reads.

    The entrance's last convolution makes 32 channels of 12, with no activation after it; who reads the 12 directly
    has less than half to multiply. Only where every reader is a 1x1 convolution, else P would be computed as well.
    """
    users = graph.users()
    for node in list(graph.nodes):
        if not is_pointwise(node, graph.weights):
            continue
        weight, bias = _weight_and_bias(graph, node)
        readers = users[node.output[0]]
        if weight.shape[0] <= weight.shape[1] or not all(
            is_pointwise(reader, graph.weights) for reader in readers
        ):
            continue
        for reader in readers:
            outer, outer_bias = _weight_and_bias(graph, reader)
            joint = np.tensordot(outer[:, :, 0, 0].astype(np.float64), weight.astype(np.float64), (1, 0))
            joint_bias = outer_bias + outer[:, :, 0, 0].astype(np.float64) @ bias
            names = [
                graph.add_weight(reader.input[1], values.astype(weight.dtype))
                for values in (joint, joint_bias)
            ]
            del reader.input[:]
            reader.input.extend([node.input[0], *names])


def _is_upsampled_pair(concat: NodeProto, resize: NodeProto) -> bool:
    mode = attributes(resize).get("mode") if resize.op_type == "Resize" else None
    axis = attributes(concat).get("axis") if concat.op_type == "Concat" else None
    return mode == b"linear" and axis == 1 and len(concat.input) == 2


def _channels_of(graph: Graph, name: str) -> int:
    return graph.shapes()[name][1]


def _given(resize: NodeProto) -> dict[str, object]:
    """Return the attributes that matter; the exporter also writes empty ones."""
    return {key: value for key, value in attributes(resize).items() if value != b""}


def _weight_and_bias(graph: Graph, node: NodeProto) -> tuple[Weights, Weights]:
    weight = graph.weights[node.input[1]]
    if len(node.input) > 2:
        return weight, graph.weights[node.input[2]]
    return weight, np.zeros(len(weight), weight.dtype)
