"""Rewritings for ONNX Runtime's blocked CPU layout and for caches: they save memory traffic, not arithmetic."""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import NodeProto, helper

from export.network.rewrite.graph import Graph, Weights, attributes, is_depthwise, is_pointwise

__all__ = ["BLOCK_CHANNELS", "group_hidden_channels", "move_sigmoid_last", "pad_channels"]

BLOCK_CHANNELS = 16
"""Channels of one block of ONNX Runtime's layout with AVX-512; with AVX2 it is half of that."""

CACHED_BYTES = 8 << 20
"""Hidden maps up to this size are left whole: they fit the cache that one or two cores have to themselves."""

FLOAT_BYTES = 4
PASSING_ON = ("Relu", "Add", "Resize")
"""Operators that give as many channels as they get, and make zeros of zeros."""


def pad_channels(graph: Graph) -> None:
    """Pad channel counts to whole blocks with zero weights: others leave the blocked layout and come back.

    Left as it is: what leaves the convolutions (the picture), and everything if an addition would not fit any more.
    """
    widths = _padded_widths(graph)
    additions = [node for node in graph.nodes if node.op_type == "Add"]
    if any(len({widths.get(name) for name in node.input}) > 1 for node in additions):
        return
    for node in graph.nodes:
        if node.op_type == "Conv" and node.output[0] in widths:
            _pad_convolution(graph, node, widths.get(node.input[0]), widths[node.output[0]])


def group_hidden_channels(graph: Graph) -> None:
    """Run wide inverted residuals a block of hidden channels at a time, adding up their projections.

    A hidden channel is computed from the block's input and read by the projection, by nothing else: so a few
    of them go all the way through while they lie in the cache, where the whole map (52 MB at 128x320x320) does not.
    """
    shapes = graph.shapes()
    for node in list(graph.nodes):
        if not is_pointwise(node, graph.weights):
            continue
        producers = graph.producers()
        relu = producers.get(node.input[0])
        depthwise = producers.get(relu.input[0]) if relu is not None and relu.op_type == "Relu" else None
        if depthwise is None or not is_depthwise(depthwise, graph.weights):
            continue
        channels = _outputs(graph, depthwise)
        hidden_bytes = prod(shapes[depthwise.input[0]]) * FLOAT_BYTES
        if hidden_bytes > CACHED_BYTES and channels % BLOCK_CHANNELS == 0:
            graph.replace(node, _grouped(graph, node, producers, channels))


def move_sigmoid_last(graph: Graph) -> None:
    """Take the sigmoid after the picture has left the blocked layout: of 3 channels, not of a block of 16."""
    producers, users = graph.producers(), graph.users()
    for node in list(graph.nodes):
        if node.op_type != "Transpose":
            continue
        scale = producers.get(node.input[0])
        sigmoid = producers.get(scale.input[0]) if scale is not None and scale.op_type == "Mul" else None
        if (
            scale is None
            or sigmoid is None
            or sigmoid.op_type != "Sigmoid"
            or len(users[sigmoid.output[0]]) > 1
        ):
            continue
        moved = graph.make("Transpose", [sigmoid.input[0]], "logits", perm=attributes(node)["perm"])
        last = graph.make("Sigmoid", [moved.output[0]], "picture")
        scaled = helper.make_node("Mul", [last.output[0], scale.input[1]], [""], scale.name)
        graph.replace(node, [moved, last, scaled])


def _grouped(
    graph: Graph, projection: NodeProto, producers: dict[str, NodeProto], channels: int
) -> list[NodeProto]:
    weight = graph.weights[projection.input[1]]
    nodes: list[NodeProto] = []
    total = ""
    for start in range(0, channels, BLOCK_CHANNELS):
        part = slice(start, start + BLOCK_CHANNELS)
        hidden = _slice_of(graph, projection.input[0], part, producers, nodes)
        inputs = [hidden, graph.add_weight(projection.input[1], weight[:, part])]
        nodes.append(graph.make("Conv", [*inputs, *(() if total else projection.input[2:])], "part"))
        if total:
            nodes.append(graph.make("Add", [nodes[-1].output[0], total], "sum"))
        total = nodes[-1].output[0]
    return nodes


def _slice_of(
    graph: Graph, name: str, part: slice, producers: dict[str, NodeProto], nodes: list[NodeProto]
) -> str:
    """Append the nodes that compute some channels of a tensor, and return the name of their result."""
    node = producers[name]
    if node.op_type == "Conv":
        parameters = [graph.add_weight(item, graph.weights[item][part]) for item in node.input[1:]]
        options = attributes(node)
        source = node.input[0]
        if is_depthwise(node, graph.weights):
            source = _slice_of(graph, source, part, producers, nodes)
            options["group"] = part.stop - part.start
        inputs = [source, *parameters]
    elif node.op_type == "Add":
        inputs = [_slice_of(graph, item, part, producers, nodes) for item in node.input]
        options = {}
    else:
        assert node.op_type in PASSING_ON, node.op_type
        inputs = [_slice_of(graph, node.input[0], part, producers, nodes), *node.input[1:]]
        options = attributes(node)
    nodes.append(graph.make(node.op_type, inputs, "slice", **options))
    return nodes[-1].output[0]


def _padded_widths(graph: Graph) -> dict[str, int]:
    """Return how many channels each tensor that convolutions make will have."""
    users = graph.users()
    widths: dict[str, int] = {}
    for node in graph.nodes:
        if node.op_type in PASSING_ON and node.input[0] in widths:
            widths[node.output[0]] = widths[node.input[0]]
        elif node.op_type == "Conv" and all(name in graph.weights for name in node.input[1:]):
            outputs = _outputs(graph, node)
            whole_blocks = -(-outputs // BLOCK_CHANNELS) * BLOCK_CHANNELS
            widths[node.output[0]] = whole_blocks if _stays_inside(node.output[0], users) else outputs
    return widths


def _stays_inside(name: str, users: dict[str, list[NodeProto]]) -> bool:
    """Tell whether a tensor reaches nothing but convolutions, directly or through operators that pass zeros on."""
    return all(
        user.op_type == "Conv" or (user.op_type in PASSING_ON and _stays_inside(user.output[0], users))
        for user in users[name]
    )


def _pad_convolution(graph: Graph, node: NodeProto, input_width: int | None, width: int) -> None:
    depthwise = is_depthwise(node, graph.weights)
    weight = _padded(graph.weights[node.input[1]], 0, width)
    if input_width is not None and not depthwise:
        weight = _padded(weight, 1, input_width)
    node.input[1] = graph.add_weight(node.input[1], weight)
    if len(node.input) > 2:
        node.input[2] = graph.add_weight(node.input[2], _padded(graph.weights[node.input[2]], 0, width))
    for attribute in node.attribute:
        if depthwise and attribute.name == "group":
            attribute.i = width


def _padded(values: Weights, axis: int, length: int) -> Weights:
    widths = [(0, 0)] * values.ndim
    widths[axis] = (0, length - values.shape[axis])
    return np.pad(values, widths)


def _outputs(graph: Graph, node: NodeProto) -> int:
    return int(graph.weights[node.input[1]].shape[0])
