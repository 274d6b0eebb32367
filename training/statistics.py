"""Batch norms that were folded away and came back as nothing: given statistics again, with the function unchanged."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["measure_statistics"]

SMALLEST_VARIANCE = 1e-4


@torch.no_grad()
def measure_statistics(network: nn.Module, examples: Tensor) -> None:
    """Make every batch norm's statistics those of examples; its scale and shift make up for it.

    A network from an exported file has batch norms that do nothing. Trained like that, scale and shift of a channel
    would have no common measure, and one learning rate would be too large for one and too small for another.

    Args:
        network: Left in evaluation mode; gives what it gave before.
        examples: Its input.
    """

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        variance, mean = torch.var_mean(inputs[0], (0, 2, 3), unbiased=False)
        variance = variance.clamp(min=SMALLEST_VARIANCE)
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * scale
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_(scale * torch.sqrt(variance + norm.eps))
        norm.bias.copy_(shift + mean * scale)

    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    network.eval()(examples)
    for hook in hooks:
        hook.remove()
