"""Compare an exported ONNX file with the PyTorch network it came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from export.contract import MAX_BATCH_SIZE
from export.errors import VerificationFailed
from export.network.borders import mouth_mask, tensor_shapes
from export.network.rewrite import rewrite_for_cpu
from export.network.rewrite.check import Probe
from export.network.unet import UNet

__all__ = ["TOLERANCES", "Agreement", "example_inputs", "reference", "verify"]

TOLERANCES = {"fp32": 1e-4, "fp16": 3e-2}
"""Greatest allowed difference of the network's output, on a scale of 0.0 to 1.0."""

COARSE_SIZE = 20
"""Width and height, in blocks of one colour, of an example face."""


@dataclass(frozen=True)
class Agreement:
    """How far an export is from PyTorch at one batch size.

    Attributes:
        batch_size: Frames in the batch.
        difference: Greatest absolute difference of the output, 0.0 to 1.0.
        tolerance: What was allowed.
        levels: Greatest difference of the picture, in levels of 0 to 255.
    """

    batch_size: int
    difference: float
    tolerance: float
    levels: int

    def __str__(self) -> str:
        return (
            f"batch {self.batch_size:2d}: greatest difference {self.difference:.2e} "
            f"(tolerance {self.tolerance:.0e}), pictures within {self.levels} of 255"
        )


def example_inputs(network: UNet, batch_size: int) -> dict[str, NDArray[np.generic]]:
    """Return the one set of example inputs of a network, by tensor name: ``face`` and ``audio``, seeded."""
    repeats = network.geometry.face_size // COARSE_SIZE
    rng = np.random.default_rng(batch_size)
    coarse = rng.integers(0, 256, (batch_size, COARSE_SIZE, COARSE_SIZE, 3), dtype=np.uint8)
    return {
        "face": coarse.repeat(repeats, 1).repeat(repeats, 2),
        "audio": rng.normal(0.0, 1.5, (batch_size, *network.audio_shape)).astype(np.float32),
    }


def reference(network: UNet, face: NDArray[np.uint8], audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run the PyTorch network the way the training repositories do.

    Args:
        network: In evaluation mode, float32.
        face: (B, S, S, 3) uint8 BGR.
        audio: (B, *audio_shape) float32.

    Returns:
        (B, 3, S, S) float32 BGR, 0.0 to 1.0.
    """
    whole = face.astype(np.float32).transpose(0, 3, 1, 2) / 255
    stacked = np.concatenate([whole, whole * mouth_mask(network.geometry)], axis=1)
    with torch.inference_mode():
        output: NDArray[np.float32] = network(torch.from_numpy(stacked), torch.from_numpy(audio)).numpy()
    return output


def verify(model: ModelProto, network: UNet, precision: str = "fp32") -> list[Agreement]:
    """Compare names, then shapes, then values, at batch 1 and at the maximum: of the graph and of its CPU rewriting.

    Returns:
        Per batch size, that of the two which is further from PyTorch.

    Raises:
        VerificationFailed: If anything differs by more than the tolerance.
    """
    graphs = [model, rewrite_for_cpu(model)]
    for graph in graphs:
        _check_signature(graph, network)
    probes = [Probe(graph) for graph in graphs]
    agreements = []
    for batch_size in (1, MAX_BATCH_SIZE):
        agreement = _compare(probes, network, batch_size, TOLERANCES[precision])
        if not agreement.difference <= agreement.tolerance:  # "not" refuses NaN, too
            raise VerificationFailed(f"the export differs from PyTorch: {agreement}")
        agreements.append(agreement)
    return agreements


def _check_signature(model: ModelProto, network: UNet) -> None:
    got = tensor_shapes([*model.graph.input, *model.graph.output])
    picture = ("batch", network.geometry.face_size, network.geometry.face_size, 3)
    expected = {"face": picture, "audio": ("batch", *network.audio_shape), "image": picture}
    if got != expected:
        raise VerificationFailed(f"expected the tensors {expected}, got {got}")


def _compare(probes: list[Probe], network: UNet, batch_size: int, tolerance: float) -> Agreement:
    inputs = example_inputs(network, batch_size)
    expected = reference(network, inputs["face"], inputs["audio"])  # type: ignore[arg-type]
    picture = (expected * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    answers = [probe.run(inputs) for probe in probes]
    return Agreement(
        batch_size=batch_size,
        difference=float(np.max([np.abs(output - expected).max() for _, output in answers])),
        tolerance=tolerance,
        levels=max(int(np.abs(image.astype(int) - picture.astype(int)).max()) for image, _ in answers),
    )
