"""An ONNX graph that can be edited: who makes a tensor, who uses it, and its weights as arrays."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

__all__ = ["Graph", "attributes", "is_depthwise", "is_pointwise"]

Weights = NDArray[Any]


def attributes(node: NodeProto) -> dict[str, Any]:
    """Return a node's attributes as Python values."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def is_pointwise(node: NodeProto, weights: dict[str, Weights]) -> bool:
    """Tell whether a node is a 1x1 convolution over all channels, with constant weights."""
    if node.op_type != "Conv" or not all(name in weights for name in node.input[1:]):
        return False
    plain = {"group": 1, "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1]}
    given = attributes(node)
    fits = all(given.get(key, value) == value for key, value in plain.items())
    return fits and weights[node.input[1]].shape[2:] == (1, 1)


def is_depthwise(node: NodeProto, weights: dict[str, Weights]) -> bool:
    """Tell whether a node is a convolution of each channel alone, with constant weights."""
    if node.op_type != "Conv" or not all(name in weights for name in node.input[1:]):
        return False
    shape = weights[node.input[1]].shape
    return bool(shape[1] == 1 and attributes(node).get("group", 1) == shape[0])


class Graph:
    """A copy of a model, open for editing; ``model`` closes it.

    Attributes:
        nodes: In topological order.
        weights: Every initializer by name.
    """

    def __init__(self, model: ModelProto) -> None:
        self._model = ModelProto()
        self._model.CopyFrom(model)
        self.nodes = list(self._model.graph.node)
        self.weights = {item.name: numpy_helper.to_array(item) for item in self._model.graph.initializer}
        self._count = 0

    def producers(self) -> dict[str, NodeProto]:
        """Return the node that makes each tensor."""
        return {name: node for node in self.nodes for name in node.output}

    def users(self) -> dict[str, list[NodeProto]]:
        """Return the nodes that take each tensor, once per use; a graph output has an empty node for a user."""
        self._drop_unused()
        users = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                users[name].append(node)
        for output in self._model.graph.output:
            users[output.name].append(NodeProto())
        return users

    def new_name(self, stem: str) -> str:
        """Return a name that no tensor has."""
        self._count += 1
        return f"{stem}/{self._count}"

    def add_weight(self, stem: str, values: Weights) -> str:
        """Keep an array as an initializer, and return its name."""
        name = self.new_name(stem)
        self.weights[name] = np.ascontiguousarray(values)
        return name

    def make(self, op_type: str, inputs: list[str], stem: str, **options: Any) -> NodeProto:
        """Return a node with one new output; it isn't in the graph yet."""
        name = self.new_name(stem)
        return helper.make_node(op_type, inputs, [name], name, **options)

    def replace(self, old: NodeProto, new: list[NodeProto]) -> None:
        """Put nodes where one was; the last of them gives its output."""
        new[-1].output[0] = old.output[0]
        index = next(index for index, node in enumerate(self.nodes) if node is old)
        self.nodes[index : index + 1] = new

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every float tensor between nodes, at batch 1."""
        model = self._close()
        for value in [*model.graph.input, *model.graph.output]:
            value.type.tensor_type.shape.dim[0].dim_value = 1
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        return {
            value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            for value in inferred.graph.value_info
            if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        }

    def model(self) -> ModelProto:
        """Return the edited model, with the shape of every tensor.

        ONNX Runtime fuses an addition into the convolution before it only where it knows both shapes to be equal;
        left alone, it loses the batch axis at every Resize.
        """
        shapes = self.shapes()
        model = self._close()
        for name, shape in shapes.items():
            if len(shape) == 4:  # there may be numbers without any axis
                info = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *shape[1:]])
                model.graph.value_info.append(info)
        onnx.checker.check_model(model)
        return model

    def _close(self) -> ModelProto:
        self._drop_unused()
        closed = ModelProto()
        closed.CopyFrom(self._model)
        del closed.graph.node[:], closed.graph.initializer[:], closed.graph.value_info[:]
        closed.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        closed.graph.initializer.extend(
            numpy_helper.from_array(values, name) for name, values in self.weights.items() if name in used
        )
        return closed

    def _drop_unused(self) -> None:
        needed = {output.name for output in self._model.graph.output}
        kept = []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
