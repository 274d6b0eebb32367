"""From an exported ONNX file back to a network that can be trained on: the way ``onnx_model.trace`` goes, backwards.

An export folds each batch norm into the convolution before it. Here the folded weights become the convolution's, what
the folded bias was becomes the batch norm's, and the batch norm changes nothing else: the network gives what the file
gives, and its state dict has the published names.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from torch import Tensor, nn

from export.errors import BadModel
from export.network.onnx_file import read_onnx

__all__ = ["load_exported"]

HALF = "_half"
BIASES = ("{}.bias", "{}.weight_bias")
"""What an exporter calls a folded bias, where the convolution had one of its own and where it had none."""

Arrays = dict[str, NDArray[np.float32]]


def load_exported(network: nn.Module, path: Path) -> None:
    """Give a network the weights of an ONNX file that ``python -m export`` wrote of one like it.

    Args:
        network: A U-Net or an audio encoder; its weights and statistics are replaced.
        path: Of the same architecture and width; compact or not.

    Raises:
        BadModel: If the file cannot be read, or is not of this network.
    """
    arrays = _arrays(read_onnx(path))
    layers = [(name, module) for name, module in network.named_modules() if not list(module.children())]
    for (name, layer), (_, after) in pairwise([*layers, ("", nn.Identity())]):
        if isinstance(layer, nn.Conv2d):
            norm = after if isinstance(after, nn.BatchNorm2d) else None
            _load(path, name, layer, norm, arrays)


def _arrays(model: ModelProto) -> Arrays:
    return {
        value.name.removesuffix(HALF): numpy_helper.to_array(value).astype(np.float32)
        for value in model.graph.initializer
        if value.data_type in (1, 10)
    }


@torch.no_grad()
def _load(path: Path, name: str, conv: nn.Conv2d, norm: nn.BatchNorm2d | None, arrays: Arrays) -> None:
    weight = _find(path, arrays, (f"{name}.weight",), conv.weight)
    bias = _find(path, arrays, tuple(form.format(name) for form in BIASES), conv.weight[:, 0, 0, 0])
    conv.weight.copy_(weight)
    if conv.bias is not None:
        conv.bias.copy_(bias)
    if norm is None:
        return
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.weight.fill_(math.sqrt(1.0 + norm.eps))
    norm.bias.copy_(bias if conv.bias is None else torch.zeros_like(bias))


def _find(path: Path, arrays: Arrays, names: tuple[str, ...], like: Tensor) -> Tensor:
    for name in names:
        if name in arrays:
            if arrays[name].shape != like.shape:
                raise BadModel(path, f"{name} of shape {tuple(like.shape)}", str(arrays[name].shape))
            return torch.from_numpy(arrays[name])
    raise BadModel(path, f"the weights {names[0]} of such a network", "a file without them")
