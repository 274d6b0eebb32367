"""The avatars that benchmarks run on, under ``build/bench``: made once, from code alone.

What takes PyTorch or long, ``carry`` makes on another machine: the drawn clip, and random networks as small ONNX files.

``wide`` has the full-width network with seeded random weights, whose speed is that of trained ones; ``half`` the same
at half width. ``demo`` is the demo character with its own weights, whose JPEGs are realistic. All can be spoken to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from onnx import ModelProto

from demo.dataset import write_take
from demo.recording import excerpt, read_recording
from demo.weights import AUDIO_ENCODER_PATH, UNET_PATH
from export.footage.dataset import open_dataset
from export.network.compact import write_model
from export.network.encoder_weights import load_speech_model, open_encoder
from export.repository.avatar import (
    CPU_WEIGHTS_FILE,
    FRAME_FILES,
    SPEECH_FILE,
    WEIGHTS_FILE,
    Avatar,
    write_avatar,
)
from export.repository.configs import ServingOptions
from export.repository.entries import write_entries
from speech.contract import FPS

if TYPE_CHECKING:
    from export.network.unet import UNet

__all__ = [
    "CLIP",
    "FRAMES",
    "NETWORK_FILE",
    "WIDTHS",
    "Site",
    "carry",
    "draw_clip",
    "load_network",
    "prepare_site",
    "random_network",
]

CLIP = "clip"
NETWORK_FILE = "{name}.onnx"
"""Under the site: a network that was carried there."""

FRAMES = 50
"""Frames of each avatar: two seconds."""

AVATAR_FILES = ("avatar.json", WEIGHTS_FILE, CPU_WEIGHTS_FILE, SPEECH_FILE, *FRAME_FILES)
SEED = 328
WIDTHS = {"wide": 1.0, "half": 0.5}


@dataclass(frozen=True)
class Site:
    """Where a benchmark's avatars are.

    Attributes:
        avatars: Avatar folders.
        model_repository: What Triton loads.
    """

    avatars: Path
    model_repository: Path


def random_network(width: float = 1.0) -> UNet:
    """Return a network with seeded random weights and batch-norm statistics, in evaluation mode."""
    import torch  # serving does without it, and so does a site whose networks were carried there

    from export.network.unet import UNet

    generator = torch.Generator().manual_seed(SEED)
    network = UNet("ave", width).eval()
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if key.endswith("running_var"):
                value.uniform_(0.6, 1.4, generator=generator)
            elif value.ndim == 4:
                gain = 0.02 if key.startswith("outc.") else 1.6  # keeps the sigmoid out of saturation
                value.normal_(0.0, (gain / value[0].numel()) ** 0.5, generator=generator)
            elif key.endswith("weight"):
                value.uniform_(0.7, 1.3, generator=generator)
            elif value.is_floating_point():
                value.normal_(0.0, 0.05, generator=generator)
    return network


def load_network(folder: Path, name: str) -> ModelProto:
    """Return a network: the one that was carried to the site, else the demo's own, else a random one.

    Raises:
        ImportError: If a random one is to be made and torch is not installed.
    """
    carried = folder / NETWORK_FILE.format(name=name)
    if carried.is_file():
        return onnx.load(carried)
    if name not in WIDTHS:
        return onnx.load(UNET_PATH)
    from export.network.onnx_model import export_network  # needs torch

    return export_network(random_network(WIDTHS[name]))


def carry(folder: Path, names: tuple[str, ...]) -> None:
    """Write what a site needs that takes PyTorch or long: the clip, and random networks with float16 weights."""
    folder.mkdir(parents=True, exist_ok=True)
    draw_clip(folder)
    for name in names:
        path = folder / NETWORK_FILE.format(name=name)
        if name in WIDTHS and not path.is_file():
            write_model(load_network(folder, name), path, compact=True)


def prepare_site(folder: Path, names: tuple[str, ...] = ("wide", "half", "demo")) -> Site:
    """Make the avatars that are not there or not whole, as those of an older release are; write all models anew."""
    site = Site(folder / "avatars", folder / "model_repository")
    for name in names:
        if not all((site.avatars / name / file).is_file() for file in AVATAR_FILES):
            _import(site, name, folder)
        write_entries(site.avatars / name, site.model_repository, ServingOptions())
    return site


def draw_clip(folder: Path) -> Path:
    """Return the drawn clip's dataset folder, drawn if it was not carried to the site."""
    clip = folder / CLIP
    if not clip.is_dir():
        said = excerpt(read_recording("served"), FRAMES / FPS)
        write_take(clip, said, seed=0, encoder=open_encoder(AUDIO_ENCODER_PATH))
    return clip


def _import(site: Site, name: str, folder: Path) -> None:
    footage = open_dataset(draw_clip(folder), "ave")
    model = load_network(folder, name)
    avatar = Avatar(
        name=name,
        fps=footage.fps,
        frame_count=footage.frame_count,
        audio_mode="ave",
        edge_padding="zeros",
        source="benchmark",
        hears=True,
    )
    write_avatar(site.avatars / name, avatar, footage, model, load_speech_model(AUDIO_ENCODER_PATH))
