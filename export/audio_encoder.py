"""The AVE audio encoder in PyTorch: 200 ms of mel spectrogram in, one vector of 512 out.

Names, shapes and strides follow the published state dict, so its files load as they are.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.errors import BadCheckpoint, BadSource
from export.mel import SAMPLE_RATE_HZ, WINDOW_FRAMES, mel_spectrogram, mel_windows, window_count
from export.wav import read_speech

__all__ = ["FEATURE_SIZE", "PREFIX", "AveEncoder", "encode", "extract_features", "load_encoder"]

FEATURE_SIZE = 512
PREFIX = "audio_encoder."
"""What the published names begin with, and the published file leaves out."""

BATCH_SIZE = 128


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
        BadCheckpoint: If the file cannot be read, or names or shapes are not the encoder's.
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
    encoder.load_state_dict(state, strict=False)  # only num_batches_tracked may be absent by now
    return encoder.eval()


def extract_features(wav: Path, encoder: AveEncoder) -> NDArray[np.float32]:
    """Return the feature vectors of a WAV file, as dataset folders keep them in ``aud_ave.npy``.

    One vector a video frame, at 25 per second, and a copy of the first and of the last at the ends.

    Args:
        wav: PCM WAV of any rate.
        encoder: In evaluation mode.

    Returns:
        (T, 512) float32.

    Raises:
        BadSource: If the file is missing, no PCM WAV, silent, or shorter than one window.
    """
    samples = read_speech(wav)
    mel = mel_spectrogram(samples)
    if not window_count(mel.shape[1]):
        shortest_s = (WINDOW_FRAMES - 1) / 80
        raise BadSource(
            wav, f"at least {shortest_s:.2f} s of speech", f"{len(samples) / SAMPLE_RATE_HZ:.2f} s"
        )
    return encode(mel, encoder)


@torch.no_grad()
def encode(mel: NDArray[np.float32], encoder: AveEncoder) -> NDArray[np.float32]:
    """Return the feature vectors of a mel spectrogram, with a copy of the first and of the last at the ends.

    Args:
        mel: (80, T) float32, T at least 16.
        encoder: In evaluation mode.

    Returns:
        (window_count(T) + 2, 512) float32.
    """
    windows = torch.from_numpy(mel_windows(mel, window_count(mel.shape[1])))[:, None]
    vectors = torch.cat([encoder(part) for part in torch.split(windows, BATCH_SIZE)]).numpy()
    return np.concatenate([vectors[:1], vectors, vectors[-1:]])


def _read(path: Path) -> dict[str, Tensor]:
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as exc:
        raise BadCheckpoint(path, "an audio encoder's weights", "nothing there") from exc
    except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError, OSError) as exc:
        raise BadCheckpoint(
            path, "a whole PyTorch checkpoint of tensors only", f"a file that is none ({type(exc).__name__})"
        ) from exc
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise BadCheckpoint(path, "a state dict of tensors", f"a {type(content).__name__}")
    return content
