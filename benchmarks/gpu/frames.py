"""Real frames of the drawn clip, as a network takes them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.gpu.settings import Settings
from benchmarks.site import draw_clip
from export.footage.dataset import open_dataset
from speech.contract import AUDIO_SHAPES
from speech.windows import window_indices

__all__ = ["clip_frames", "repeated"]


def clip_frames(settings: Settings, count: int) -> dict[str, NDArray[Any]]:
    """Return ``face`` (B, 320, 320, 3) uint8 and ``audio`` (B, 32, 16, 16) float32 of frames all over the clip."""
    footage = open_dataset(draw_clip(settings.folder), "ave")
    picked = np.linspace(0, footage.frame_count - 1, count).astype(int)
    faces = {
        index: frame.face
        for index, frame in enumerate(itertools.islice(footage.frames, int(picked[-1]) + 1))
        if index in picked
    }
    vectors = footage.audio_features
    padded = np.vstack([vectors, np.zeros_like(vectors[:1])])
    windows = padded[window_indices(footage.frame_count, len(vectors), "zeros")[picked]]
    return {
        "face": np.stack([faces[index] for index in picked]),
        "audio": windows.reshape(count, *AUDIO_SHAPES["ave"]).astype(np.float32),
    }


def repeated(frames: dict[str, NDArray[Any]], batch_size: int) -> dict[str, NDArray[Any]]:
    """Return a batch of the frames in turn."""
    turns = np.arange(batch_size) % len(frames["face"])
    return {name: np.ascontiguousarray(array[turns]) for name, array in frames.items()}
