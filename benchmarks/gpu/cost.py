"""What one frame of a network costs: arithmetic, and the bytes that move, from its ONNX graph by shape inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import onnx
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, shape_inference

from benchmarks.errors import NotAvailable
from export.network.rewrite.algebra import fold_stored_halves
from export.network.rewrite.graph import Graph

__all__ = ["Cost", "cost_of", "network_cost"]

MOVING = ("Conv", "Concat", "Resize")
"""Operators that read and write memory. What is done value by value, a runtime makes part of one of these."""


@dataclass(frozen=True)
class Cost:
    """What one frame costs.

    Attributes:
        flop: Multiplications and additions of all convolutions.
        activation_bytes: That convolutions, concatenations and upsamplings read and write, weights left out.
        weight_bytes: Read once a batch.
        input_bytes: Of a face and its window of speech.
        output_bytes: Of a picture.
    """

    flop: float
    activation_bytes: float
    weight_bytes: float
    input_bytes: float
    output_bytes: float


@dataclass(frozen=True)
class _Tensor:
    shape: tuple[int, ...]
    value_bytes: int

    @property
    def size_bytes(self) -> int:
        return prod(self.shape) * self.value_bytes


def network_cost(path: Path) -> Cost:
    """Return the cost of a frame of a served network's file, one with weights stored as float16 included.

    Raises:
        NotAvailable: If a shape in it cannot be inferred.
    """
    graph = Graph(onnx.load(path))
    fold_stored_halves(graph)
    return cost_of(graph.model())


def cost_of(model: ModelProto) -> Cost:
    """Return the cost of a frame; the model stays as it is.

    Raises:
        NotAvailable: If a shape in it cannot be inferred.
    """
    single = ModelProto()
    single.CopyFrom(model)
    del single.graph.value_info[:]
    for value in (*single.graph.input, *single.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graph = shape_inference.infer_shapes(single, strict_mode=True).graph
    tensors = {value.name: _tensor(value) for value in (*graph.input, *graph.output, *graph.value_info)}
    weights = {item.name: _Tensor(tuple(item.dims), _bytes_of(item.data_type)) for item in graph.initializer}
    try:
        return Cost(
            flop=sum(_flop(node, tensors, weights) for node in graph.node if node.op_type == "Conv"),
            activation_bytes=sum(_moved(node, tensors) for node in graph.node if node.op_type in MOVING),
            weight_bytes=sum(weight.size_bytes for weight in weights.values()),
            input_bytes=sum(tensors[value.name].size_bytes for value in graph.input),
            output_bytes=sum(tensors[value.name].size_bytes for value in graph.output),
        )
    except KeyError as exc:
        raise NotAvailable("the roofline", f"expected a shape of every tensor, got none of {exc}") from exc


def _tensor(value: ValueInfoProto) -> _Tensor:
    kind = value.type.tensor_type
    return _Tensor(tuple(dim.dim_value for dim in kind.shape.dim), _bytes_of(kind.elem_type))


def _bytes_of(data_type: int) -> int:
    return int(helper.tensor_dtype_to_np_dtype(data_type).itemsize)


def _flop(node: NodeProto, tensors: Mapping[str, _Tensor], weights: Mapping[str, _Tensor]) -> float:
    """Return 2 · values of the output · values that each of them is a sum of."""
    return 2.0 * prod(tensors[node.output[0]].shape) * prod(weights[node.input[1]].shape[1:])


def _moved(node: NodeProto, tensors: Mapping[str, _Tensor]) -> int:
    given = [tensors[name].size_bytes for name in node.input if name in tensors]
    return sum(given) + sum(tensors[name].size_bytes for name in node.output)
