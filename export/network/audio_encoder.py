"""The AVE audio encoder in PyTorch: 200 ms of mel spectrogram in, one vector of 512 out.

Names, shapes and strides follow the published state dict, so its files load as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn

from export.errors import BadCheckpoint, VerificationFailed
from export.network.checkpoint import as_arrays
from export.network.finite import check_finite
from export.network.onnx_model import trace
from export.network.torch_file import check_plain, read_torch_file
from speech.features import AudioEncoder
from speech.mel import MEL_BANDS, WINDOW_FRAMES

__all__ = ["FEATURE_SIZE", "PREFIX", "AveEncoder", "export_encoder", "load_encoder", "on_arrays"]

FEATURE_SIZE = 512
PREFIX = "audio_encoder."
"""What the published names begin with, and the published file leaves out."""

TOLERANCE = 1e-4


class Block(NamedTuple):
    """One entry of the stack: a convolution's channels, stride, kernel and padding."""

    in_channels: int
    out_channels: int
    stride: tuple[int, int] = (1, 1)
    residual: bool = False
    kernel: int = 3
    padding: int = 1


BLOCKS = (
    Block(1, 32),
    Block(32, 32, residual=True),
    Block(32, 32, residual=True),
    Block(32, 64, stride=(3, 1)),
    Block(64, 64, residual=True),
    Block(64, 64, residual=True),
    Block(64, 128, stride=(3, 3)),
    Block(128, 128, residual=True),
    Block(128, 128, residual=True),
    Block(128, 256, stride=(3, 2)),
    Block(256, 256, residual=True),
    Block(256, 512, padding=0),
    Block(512, 512, kernel=1, padding=0),
)


class ConvBlock(nn.Module):
    """Convolution and batch norm, plus the input where residual, then ReLU."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.residual = block.residual
        self.conv_block = nn.Sequential(
            nn.Conv2d(block.in_channels, block.out_channels, block.kernel, block.stride, block.padding),
            nn.BatchNorm2d(block.out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H', W')."""
        out = self.conv_block(x)
        return torch.relu(out + x if self.residual else out)


class AveEncoder(nn.Module):
    """The encoder: thirteen blocks that narrow 80 bands x 16 frames to one position."""

    def __init__(self) -> None:
        super().__init__()
        self.audio_encoder = nn.Sequential(*map(ConvBlock, BLOCKS))

    def forward(self, mel: Tensor) -> Tensor:
        """Map (B, 1, 80, 16) float32, -4.0 to 4.0, to (B, 512) float32, 0.0 and up."""
        out: Tensor = self.audio_encoder(mel)  # (B, 512, 1, 1)
        return out.flatten(1)


def load_encoder(path: Path) -> AveEncoder:
    """Return the encoder in evaluation mode, with the weights of ``path``.

    Understood: a bare state dict whose names begin with ``audio_encoder.`` or, as in the published file, do not.

    Raises:
        BadCheckpoint: If the file cannot be read, names or shapes are not the encoder's, or a weight is not finite.
    """
    state = {PREFIX + key.removeprefix(PREFIX): value for key, value in _read(path).items()}
    encoder = AveEncoder()
    expected = encoder.state_dict()
    optional = {key for key in expected if key.endswith("num_batches_tracked")}
    wrong = sorted(
        (expected.keys() - optional - state.keys())
        | (state.keys() - expected.keys())
        | {key for key in expected.keys() & state.keys() if expected[key].shape != state[key].shape}
    )
    if wrong:
        raise BadCheckpoint(
            path,
            f"the {len(expected)} entries of an AVE audio encoder",
            f"{len(wrong)} that are missing, unknown or of another shape, the first {wrong[0]}",
        )
    check_finite(path, as_arrays(state), BadCheckpoint)
    encoder.load_state_dict(state, strict=False)  # only num_batches_tracked may be absent by now
    return encoder.eval()


def on_arrays(encoder: AveEncoder) -> AudioEncoder:
    """Return the encoder as a function of arrays."""

    @torch.no_grad()
    def vectors(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        features: NDArray[np.float32] = encoder(torch.from_numpy(windows)).numpy()
        return features

    return vectors


def export_encoder(encoder: AveEncoder) -> ModelProto:
    """Return the ONNX graph of an encoder: ``mel`` (B, 1, 80, 16) float32 to ``features`` (B, 512) float32.

    Args:
        encoder: In evaluation mode.

    Raises:
        VerificationFailed: If ONNX Runtime's vectors differ from PyTorch's by more than 1e-4 of the largest.
    """
    example = torch.zeros(2, 1, MEL_BANDS, WINDOW_FRAMES)
    model = trace(encoder, {"mel": example}, "features")
    _verify(model, encoder)
    return model


def _verify(model: ModelProto, encoder: AveEncoder) -> None:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    mel = np.random.default_rng(0).uniform(-4, 4, (16, 1, MEL_BANDS, WINDOW_FRAMES)).astype(np.float32)
    (got,) = session.run(["features"], {"mel": mel})
    expected = on_arrays(encoder)(mel)
    difference, largest = float(np.abs(got - expected).max()), float(np.abs(expected).max())
    if not difference <= TOLERANCE * max(1.0, largest):  # "not" refuses NaN, too
        raise VerificationFailed(
            f"the exported audio encoder differs from PyTorch by {difference:.2e} (largest value {largest:.2e})"
        )


def _read(path: Path) -> dict[str, Tensor]:
    content = read_torch_file(path, "an audio encoder's weights")
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise BadCheckpoint(path, "a state dict of tensors", f"a {type(content).__name__}")
    check_plain(path, content)
    return content
