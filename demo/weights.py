"""The demo's weights until a trained network takes their place: one that passes the reference face through.

``python -m demo.weights`` writes ``demo/unet.onnx``. The half-width U-Net 328 runs in full, but nothing in it was
learnt: its first and last blocks carry the face channels through the skip connection, everything else is zero.
The mouth one sees is the drawing's own, and speech features change nothing.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from export.compact import store_half
from export.onnx_model import export_network
from export.unet import InvertedResidual, UNet328
from export.verify import verify

__all__ = ["WEIGHTS_PATH", "pass_through_network"]

WEIGHTS_PATH = Path(__file__).with_name("unet.onnx")
COLOURS = 3
KNOTS = torch.linspace(0.0, 1.0, 21)
LOGIT_RANGE = (0.004, 0.996)


def pass_through_network() -> UNet328:
    """Return a half-width network whose output is its reference face, but for the ends of the scale."""
    network = UNet328("ave", 0.5).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.zero_()
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.fill_((1.0 + module.eps) ** 0.5)  # undoes the division by sqrt(1 + eps)
        _carry_colours(network.inc.inconv[0])
        _unfold_sigmoid(network)
    return network


def _carry_colours(block: nn.Module) -> None:
    """Let the first three channels through one inverted residual; they are not negative, so ReLU keeps them."""
    assert isinstance(block, InvertedResidual)
    for colour in range(COLOURS):
        _weight(block, 0)[colour, colour, 0, 0] = 1.0
        _weight(block, 3)[colour, 0, 1, 1] = 1.0
        _weight(block, 6)[colour, colour, 0, 0] = 1.0


def _unfold_sigmoid(network: UNet328) -> None:
    """Make the last block a piecewise linear logit of the skip connection's face, which the sigmoid undoes.

    With knots t and values logit(t), the function is logit(0) plus the sum of changes of slope times ReLU(x - t).
    """
    block = network.up5.conv.double_conv[0]
    assert isinstance(block, InvertedResidual)
    skip = _weight(block, 0).shape[1] // 2
    values = torch.logit(KNOTS.clamp(*LOGIT_RANGE))
    slopes = torch.diff(values) / torch.diff(KNOTS)
    changes = torch.diff(slopes, prepend=torch.zeros(1))
    for colour in range(COLOURS):
        for knot, (start, change) in enumerate(zip(KNOTS[:-1], changes, strict=True)):
            hidden = colour * len(changes) + knot
            _weight(block, 0)[hidden, skip + colour, 0, 0] = 1.0
            _batch_norm_bias(block, 1)[hidden] = -start
            _weight(block, 3)[hidden, 0, 1, 1] = 1.0
            _weight(block, 6)[colour, hidden, 0, 0] = change
        network.outc.conv.weight[colour, colour, 0, 0] = 1.0
        assert network.outc.conv.bias is not None
        network.outc.conv.bias[colour] = values[0]


def _weight(block: InvertedResidual, index: int) -> Tensor:
    layer = block.conv[index]
    assert isinstance(layer, nn.Conv2d)
    return layer.weight


def _batch_norm_bias(block: InvertedResidual, index: int) -> Tensor:
    layer = block.conv[index]
    assert isinstance(layer, nn.BatchNorm2d)
    return layer.bias


def main() -> None:
    """Write the weights, verified."""
    network = pass_through_network()
    model = export_network(network)
    for comparison in verify(model, network):
        print(comparison)
    onnx.save(store_half(model), WEIGHTS_PATH)


if __name__ == "__main__":
    main()
