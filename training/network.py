"""The two networks as one, and the ways training runs them that serving does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from export.contract import UNET_328
from export.network.audio_encoder import AveEncoder
from export.network.unet import UNet
from speech.contract import AUDIO_SHAPES
from training.corpus import Speech

__all__ = ["Box", "Speaker", "freeze_statistics", "masked", "render", "silenced", "with_masked"]

AUDIO_MODE = "ave"

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


class Box(NamedTuple):
    """A rectangle of a face, in pixels; half-open."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns, to index the last two axes."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


FACE = Box(0, 0, UNET_328.face_size, UNET_328.face_size)


class Speaker(nn.Module):
    """Audio encoder and U-Net.

    Args:
        width: Of the U-Net, 1.0 or 0.5.
    """

    def __init__(self, width: float) -> None:
        super().__init__()
        self.encoder = AveEncoder()
        self.unet = UNet(AUDIO_MODE, width)

    def hear(self, speech: Speech) -> Tensor:
        """Return each frame's window of 16 feature vectors: (B, 32, 16, 16) float32."""
        vectors: Tensor = self.encoder(speech.windows) * speech.valid  # (V, 512)
        return vectors[speech.layout].reshape(-1, *AUDIO_SHAPES[AUDIO_MODE])

    def forward(self, references: Tensor, targets: Tensor, speech: Speech, box: Box = FACE) -> Tensor:
        """Render the targets' mouths.

        Args:
            references: (B, 3, 320, 320) float32, 0.0 to 1.0, BGR.
            targets: The same; only what lies outside the mask is shown to the network.
            speech: The sound around the targets.
            box: The part to render.

        Returns:
            (B, 3, box height, box width) float32, 0.0 to 1.0, BGR.
        """
        return render(self.unet, with_masked(references, targets), self.hear(speech), box)

    def sketch(self, faces: Tensor, audio: Tensor) -> Tensor:
        """Return what the U-Net knows at a quarter of the size, before its two upper levels.

        The two outermost levels on the way down are run, not trained.

        Args:
            faces: (B, 6, 320, 320) float32, as the network takes them.
            audio: (B, 32, 16, 16) float32.

        Returns:
            (B, 32, 80, 80) float32; half the channels at half width.
        """
        with torch.no_grad():
            x2 = self.unet.down1(self.unet.inc(faces))
        return _climb(self.unet, x2, audio)


def with_masked(references: Tensor, targets: Tensor) -> Tensor:
    """Return the network's input: references, and the targets without their mouths: (B, 6, 320, 320)."""
    return torch.cat([references, masked(targets)], dim=1)


def masked(faces: Tensor) -> Tensor:
    """Return faces (B, 3, 320, 320) with the mouth rectangle blacked out."""
    out = faces.clone()
    out[..., slice(*UNET_328.mask_rows), slice(*UNET_328.mask_columns)] = 0
    return out


def render(unet: UNet, faces: Tensor, audio: Tensor, box: Box = FACE) -> Tensor:
    """Run the U-Net and paint only a box of its picture.

    More than half of a training step goes into the last level, at 320 x 320. All before it is run whole; the last
    level only inside the box. Two pixels along the box's edge differ from the whole picture's: its convolutions
    see zeros there.

    Args:
        unet: The network.
        faces: (B, 6, 320, 320) float32, as the network takes them.
        audio: (B, 32, 16, 16) float32.
        box: What to paint.

    Returns:
        (B, 3, box height, box width) float32, 0.0 to 1.0, BGR.
    """
    rows, columns = box.slices
    x1 = unet.inc(faces)
    x2 = unet.down1(x1)
    x = unet.up4(_climb(unet, x2, audio), x2)
    x = torch.cat([unet.up5.up(x)[..., rows, columns], x1[..., rows, columns]], dim=1)
    return torch.sigmoid(unet.outc(unet.up5.conv(x)))


def _climb(unet: UNet, x2: Tensor, audio: Tensor) -> Tensor:
    """Go down from 160 x 160 to the waist, join the sound, and go up to 80 x 80: (B, 32, 80, 80)."""
    x3 = unet.down2(x2)
    x4 = unet.down3(x3)
    x5 = unet.down4(x4)
    x6 = unet.down5(x5)
    x: Tensor = unet.fuse_conv(torch.cat([x6, unet.audio_model(audio)], dim=1))
    for up, skip in ((unet.up1, x5), (unet.up2, x4), (unet.up3, x3)):
        x = up(x, skip)
    return x


def silenced(layer: Layer) -> Layer:
    """Return a layer that gives zeros: a head that begins with the mean of what it is to learn."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def freeze_statistics(modules: Iterable[nn.Module]) -> None:
    """Make every batch norm in ``modules`` use its running statistics, as it will when served."""
    for module in modules:
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
