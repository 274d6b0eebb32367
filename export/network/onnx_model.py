"""PyTorch U-Net to the ONNX file that is served."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import torch
from onnx import ModelProto
from torch import nn

from export.network.borders import NETWORK_OUTPUT, add_borders
from export.network.unet import UNet

__all__ = ["export_network", "trace"]

OPSET = 18
DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


def export_network(network: UNet, precision: str = "fp32") -> ModelProto:
    """Return the served graph of a network: uint8 in, uint8 out, dynamic batch, static height and width.

    The exporter folds batch norm; no shape arithmetic and no Pad remain.

    Args:
        network: In evaluation mode; left as it is.
        precision: ``fp32``, or ``fp16``: float16 weights and arithmetic between the same uint8/float32 borders.
    """
    dtype, size = DTYPES[precision], network.geometry.face_size
    inner = UNet(network.audio_mode, network.width, network.geometry, network.window).eval()
    inner.load_state_dict(network.state_dict())
    example = {
        "input": torch.zeros(2, 6, size, size, dtype=dtype),
        "audio": torch.zeros(2, *network.audio_shape, dtype=dtype),
    }
    traced = trace(inner.to(dtype), example, NETWORK_OUTPUT)
    return add_borders(traced, Path(f"{network.geometry.name} ({network.audio_mode})"))


def trace(network: nn.Module, example: dict[str, torch.Tensor], output_name: str) -> ModelProto:
    """Return the ONNX graph of a network with one output; the first axis of every tensor is ``batch``.

    Args:
        network: In evaluation mode.
        example: Inputs by tensor name, in the order of ``forward``.
        output_name: The output's tensor name.
    """
    # the exporter reports that torchvision is absent, by design
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecated parts
        program = torch.onnx.export(
            network,
            tuple(example.values()),
            input_names=list(example),
            output_names=[output_name],
            dynamic_shapes=tuple({0: batch} for _ in example),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return _without_traces(program.model_proto)


def _without_traces(model: ModelProto) -> ModelProto:
    """Drop the stack traces and module paths that the exporter leaves in every node."""
    del model.metadata_props[:], model.graph.metadata_props[:]
    graph = model.graph
    for group in (graph.node, graph.value_info, graph.initializer, graph.input, graph.output):
        for item in group:
            del item.metadata_props[:]
            item.doc_string = ""
    return model
