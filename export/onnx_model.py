"""PyTorch U-Net 328 to the ONNX file that is served."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import torch
from onnx import ModelProto

from export.borders import NETWORK_INPUTS, NETWORK_OUTPUT, add_borders
from export.contract import AUDIO_SHAPES, FACE_SIZE
from export.unet import UNet328

__all__ = ["export_network"]

OPSET = 18
DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


def export_network(network: UNet328, precision: str = "fp32") -> ModelProto:
    """Return the served graph of a network: uint8 in, uint8 out, dynamic batch, static height and width.

    The exporter folds batch norm; no shape arithmetic and no Pad remain.

    Args:
        network: In evaluation mode; left as it is.
        precision: ``fp32``, or ``fp16``: float16 weights and arithmetic between the same uint8/float32 borders.
    """
    dtype = DTYPES[precision]
    inner = UNet328(network.audio_mode, network.width).eval()
    inner.load_state_dict(network.state_dict())
    example = {
        "input": torch.zeros(2, 6, FACE_SIZE, FACE_SIZE, dtype=dtype),
        "audio": torch.zeros(2, *AUDIO_SHAPES[network.audio_mode], dtype=dtype),
    }
    return add_borders(_trace(inner.to(dtype), example), Path(f"U-Net 328 ({network.audio_mode})"))


def _trace(network: UNet328, example: dict[str, torch.Tensor]) -> ModelProto:
    logging.getLogger("torch.onnx").setLevel(
        logging.ERROR
    )  # it reports that torchvision is absent, by design
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecated parts
        program = torch.onnx.export(
            network,
            tuple(example[name] for name in NETWORK_INPUTS),
            input_names=list(NETWORK_INPUTS),
            output_names=[NETWORK_OUTPUT],
            dynamic_shapes=({0: batch}, {0: batch}),
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
