"""The U-Nets of this family in PyTorch: a face and a window of speech features in, the same face speaking out.

Names, shapes and strides follow the published state dicts (SyncTalk_2D for the U-Net 328, Ultralight-Digital-Human
for the U-Net 160), so their checkpoints load as they are. Channel counts in the shape comments are those of the full
width (1.0).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from export.contract import UNET_328, Geometry
from speech.contract import AUDIO_WINDOW, window_shape

__all__ = ["AUDIO_MODES", "AudioMode", "UNet"]

BASE_CHANNELS = (32, 64, 128, 256, 512)


@dataclass(frozen=True)
class AudioMode:
    """How one kind of speech features enters the network.

    Attributes:
        levels: Which of the five channel widths the first two blocks have.
        residual: Whether the first two blocks add their input: the second, and the first where it is published so.
        conv3_stride: Stride of the convolution that brings the window to 16x16.
    """

    levels: tuple[int, int]
    residual: bool
    conv3_stride: tuple[int, int]


AUDIO_MODES = {
    "ave": AudioMode((1, 2), False, (1, 1)),
    "hubert": AudioMode((1, 2), False, (2, 2)),
    "wenet": AudioMode((3, 3), True, (1, 2)),
}


class InvertedResidual(nn.Module):
    """MobileNet-v2 block with expand ratio 2: 1x1 expand, 3x3 depthwise, 1x1 project (no ReLU after it)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, residual: bool = False) -> None:
        super().__init__()
        hidden = in_channels * 2
        self.residual = residual
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H/stride, W/stride)."""
        return x + self.conv(x) if self.residual else self.conv(x)


class DoubleConv(nn.Module):
    """Two inverted residuals; the first changes channels and size, the second refines."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 2) -> None:
        super().__init__()
        self.double_conv = nn.Sequential(
            InvertedResidual(in_channels, out_channels, stride),
            InvertedResidual(out_channels, out_channels, residual=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H/stride, W/stride)."""
        return self.double_conv(x)


class Inc(nn.Module):
    """The entrance: one inverted residual from 6 image channels."""

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.inconv = nn.Sequential(InvertedResidual(6, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 6, H, W) to (B, out, H, W)."""
        return self.inconv(x)


class Down(nn.Module):
    """Halve the size. The published name says max-pool; a strided block does it."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(DoubleConv(in_channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H/2, W/2)."""
        return self.maxpool_conv(x)


class Up(nn.Module):
    """Double the size and join the skip connection."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.conv = DoubleConv(in_channels, out_channels, stride=1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map (B, in-s, H, W) and its skip (B, s, 2H, 2W) to (B, out, 2H, 2W)."""
        return self.conv(torch.cat([self.up(x), skip], dim=1))


class OutConv(nn.Module):
    """The exit: a 1x1 convolution to three image channels."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to logits (B, 3, H, W)."""
        return self.conv(x)


class AudioBranch(nn.Module):
    """The branch that brings a window of speech features, of any mode, to the size of the network's waist.

    A window of 16 wenet vectors has as many channels as the first block, which adds its input; one of 8 does not.
    """

    def __init__(self, audio_mode: str, window: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        mode = AUDIO_MODES[audio_mode]
        c0, *_ = window_shape(audio_mode, window)
        c1, c2 = (channels[level] for level in mode.levels)
        c4, c5 = channels[3:]
        whole = mode.residual and window == AUDIO_WINDOW and c0 == c1
        self.conv1 = InvertedResidual(c0, c1, residual=whole)
        self.conv2 = InvertedResidual(c1, c2, residual=mode.residual)
        self.conv3 = nn.Conv2d(c2, c4, 3, mode.conv3_stride, 1)
        self.bn3 = nn.BatchNorm2d(c4)
        self.conv4 = InvertedResidual(c4, c4, residual=True)
        self.conv5 = nn.Conv2d(c4, c5, 3, 2, 3)
        self.bn5 = nn.BatchNorm2d(c5)
        self.relu = nn.ReLU(inplace=True)
        self.conv6 = InvertedResidual(c5, c5, residual=True)
        self.conv7 = InvertedResidual(c5, c5, residual=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map a window of float32 features, (B, C, H, W), to (B, 512, 10, 10)."""
        x = self.conv2(self.conv1(x))  # (B, 128, H, W); wenet: (B, 256, H, W)
        x = self.conv4(self.relu(self.bn3(self.conv3(x))))  # (B, 256, 16, 16)
        x = self.relu(self.bn5(self.conv5(x)))  # (B, 512, 10, 10)
        return self.conv7(self.conv6(x))


class UNet(nn.Module):
    """The network: a face, the same face with the mouth blacked out, and speech, to a face that speaks.

    Args:
        audio_mode: ``ave``, ``hubert`` or ``wenet``; a key of ``AUDIO_MODES``.
        width: 1.0 (U-Net 328 with ave: 12.19 M parameters, 9.77 GFLOP a frame; U-Net 160 with hubert: 12.2 M, 6.33
            GFLOP) or 0.5 (U-Net 328: 3.1 M, 2.64 GFLOP).
        geometry: Which of the two it is.
        window: How many speech feature vectors it hears at once: 16, or 8.
    """

    down1: Down
    down2: Down
    down3: Down
    down4: Down
    down5: Down  # of the U-Net 328 only, as up5
    up1: Up
    up2: Up
    up3: Up
    up4: Up
    up5: Up

    def __init__(
        self,
        audio_mode: str = "ave",
        width: float = 1.0,
        geometry: Geometry = UNET_328,
        window: int = AUDIO_WINDOW,
    ) -> None:
        super().__init__()
        self.audio_mode, self.width, self.geometry, self.window = audio_mode, width, geometry, window
        c1, c2, c3, c4, c5 = channels = tuple(int(c * width) for c in BASE_CHANNELS)
        down = [c1, c1, c2, c3, c4, c5][-geometry.levels - 1 :]  # of the entrance, then of each level
        up = [c4, c3, c2, c1, c1, c1 // 2][: geometry.levels + 1]  # of the waist, then of each level
        self.audio_model = AudioBranch(audio_mode, window, channels)
        self.fuse_conv = nn.Sequential(DoubleConv(c5 * 2, c5, stride=1), DoubleConv(c5, c4, stride=1))
        self.inc = Inc(down[0])
        self._levels = range(1, geometry.levels + 1)
        for level in self._levels:
            self.add_module(f"down{level}", Down(down[level - 1], down[level]))
        for level in self._levels:
            self.add_module(f"up{level}", Up(up[level - 1] + down[-1 - level], up[level]))
        self.outc = OutConv(up[-1])

    @property
    def audio_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one window of speech."""
        return window_shape(self.audio_mode, self.window)

    def forward(self, faces: Tensor, audio: Tensor) -> Tensor:
        """Render the mouths of a batch.

        Args:
            faces: (B, 6, S, S) float32, 0.0 to 1.0, BGR: channels 0-2 the face, 3-5 the masked face; S is the
                geometry's ``face_size``.
            audio: (B, *audio_shape) float32, one window of speech feature vectors.

        Returns:
            (B, 3, S, S) float32, 0.0 to 1.0, BGR.
        """
        skips = [self.inc(faces)]  # (B, 32, 320, 320); U-Net 160: (B, 32, 160, 160)
        for level in self._levels:
            skips.append(getattr(self, f"down{level}")(skips[-1]))  # ..., (B, 256, 20, 20), (B, 512, 10, 10)
        x = torch.cat([skips.pop(), self.audio_model(audio)], dim=1)  # (B, 1024, 10, 10)
        x = self.fuse_conv(x)  # (B, 256, 10, 10)
        for level in self._levels:
            x = getattr(self, f"up{level}")(x, skips.pop())  # (B, 128, 20, 20), (B, 64, 40, 40), ...
        return torch.sigmoid(self.outc(x))  # (B, 3, 320, 320); U-Net 160: (B, 3, 160, 160)
