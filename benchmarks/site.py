"""The avatars that benchmarks run on, under ``build/bench``: made once, from code alone.

``wide`` has the full-width network with seeded random weights, whose speed is that of trained ones; ``half`` the same
at half width. ``demo`` is the demo character with its own weights, whose JPEGs are realistic. All can be spoken to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
import torch

from demo.dataset import write_take
from demo.recording import excerpt, read_recording
from demo.weights import AUDIO_ENCODER_PATH, UNET_PATH
from export.footage.dataset import open_dataset
from export.network.encoder_weights import load_speech_model, open_encoder
from export.network.onnx_model import export_network
from export.network.unet import UNet
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

__all__ = ["FRAMES", "Site", "prepare_site", "random_network"]

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


def prepare_site(folder: Path, names: tuple[str, ...] = ("wide", "half", "demo")) -> Site:
    """Make the avatars that are not there or not whole, as those of an older release are; write all models anew."""
    site = Site(folder / "avatars", folder / "model_repository")
    clip = folder / "clip"
    for name in names:
        if not all((site.avatars / name / file).is_file() for file in AVATAR_FILES):
            if not clip.is_dir():
                said = excerpt(read_recording("served"), FRAMES / FPS)
                write_take(clip, said, seed=0, encoder=open_encoder(AUDIO_ENCODER_PATH))
            _import(site, name, clip)
        write_entries(site.avatars / name, site.model_repository, ServingOptions())
    return site


def _import(site: Site, name: str, clip: Path) -> None:
    footage = open_dataset(clip, "ave")
    model = export_network(random_network(WIDTHS[name])) if name in WIDTHS else onnx.load(UNET_PATH)
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
