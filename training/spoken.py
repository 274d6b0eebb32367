"""Takes to hear: sound, and what the mouth does meanwhile in numbers, with no picture drawn.

A drawn character's mouth follows from what is said, so an hour of speech costs seconds, and a face need not be painted
to learn to hear it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.errors import BadSource
from speech.contract import AUDIO_WINDOW
from speech.mel import FLOOR, MEL_BANDS, WINDOW_FRAMES, mel_spectrogram, window_count, window_starts
from speech.wav import read_speech
from training.augment import augment
from training.rooms import ECHO_FRAMES, in_a_room, loudness

__all__ = ["AROUND", "LISTEN_FRAMES", "POSES", "Span", "Spoken", "SpokenCorpus", "open_spoken", "span_of"]

POSES = "pose.npy"
"""What a take's folder has beside ``aud.wav``: (frames, P) float32, what the mouth does in each frame."""

LISTEN_FRAMES = 5
"""Video frames that a mel window of 200 ms covers."""

AROUND = 3
"""Frames on either side of one that what is heard may depend on."""

LENGTH_TOLERANCE = 3
MARGIN = AUDIO_WINDOW // 2 + LISTEN_FRAMES + 1
SHORTEST_FRAMES = 100
"""A span of 48 frames and its margins fit."""


@dataclass(frozen=True)
class Spoken:
    """One recording.

    Attributes:
        mel: (80, T) float32.
        poses: (N, P) float32, one row a frame, 25 a second.
        starts: First mel frame of each frame's window.
        power: How loud the speech is, as ``training.rooms.loudness`` has it.
    """

    mel: NDArray[np.float32]
    poses: NDArray[np.float32]
    starts: NDArray[np.int64]
    power: float

    def windows(self, first: int, stop: int, rng: np.random.Generator | None = None) -> NDArray[np.float32]:
        """Return the mel windows of frames, (stop - first, 80, 16); with a generator, of another voice in a room."""
        starts = self.starts[first:stop]
        begin = int(starts[0]) - ECHO_FRAMES
        stretch = self.mel[:, max(0, begin) : int(starts[-1]) + WINDOW_FRAMES]
        stretch = np.pad(stretch, ((0, 0), (max(0, -begin), 0)), constant_values=FLOOR)
        if rng is not None:
            stretch = in_a_room(augment(stretch, rng), self.power, rng)
        places = (starts - begin)[:, None] + np.arange(WINDOW_FRAMES)
        return np.ascontiguousarray(stretch[:, places].transpose(1, 0, 2))


class Span(NamedTuple):
    """Frames of one take that follow each other, and the sound around them.

    Attributes:
        windows: (V, 1, 80, 16) float32.
        covered: (V, 5, P) float32, the poses that each window covers.
        layout: (F, 16) int64, which of the V windows each frame hears.
        poses: (F, 7, P) float32, each frame's pose amid its neighbours'.
    """

    windows: Tensor
    covered: Tensor
    layout: Tensor
    poses: Tensor


class SpokenCorpus:
    """All takes, and a seeded way to draw from them.

    Args:
        takes: The recordings.
        rng: Every draw comes from it.
    """

    def __init__(self, takes: Sequence[Spoken], rng: np.random.Generator) -> None:
        self.takes, self.rng = tuple(takes), rng
        lengths = np.array([len(take.poses) for take in takes], np.float64)
        self._shares = lengths / lengths.sum()

    def draw_windows(self, count: int) -> tuple[Tensor, Tensor]:
        """Draw windows from anywhere: (count, 1, 80, 16), and the poses each covers, (count, 5, P)."""
        windows, covered = [], []
        for _ in range(count):
            take = self._draw_take()
            frame = int(self.rng.integers(len(take.poses) - LISTEN_FRAMES))
            windows.append(take.windows(frame, frame + 1, self.rng))
            covered.append(take.poses[frame : frame + LISTEN_FRAMES])
        return torch.from_numpy(np.stack(windows)), torch.from_numpy(np.stack(covered))

    def draw_span(self, length: int, stride: int, changed: bool = True) -> Span:
        """Draw ``length // stride`` frames that lie ``stride`` apart, as another voice in a room, or unchanged."""
        take = self._draw_take()
        start = int(self.rng.integers(MARGIN, len(take.poses) - length - MARGIN))
        return span_of(take, np.arange(start, start + length, stride), self.rng if changed else None)

    def _draw_take(self) -> Spoken:
        return self.takes[int(self.rng.choice(len(self.takes), p=self._shares))]


def span_of(take: Spoken, frames: NDArray[np.int64], rng: np.random.Generator | None = None) -> Span:
    """Return ascending frames, at least ``MARGIN`` from either end of a take, with the sound around them.

    The vector of place j in a clip is that of window j - 1: see ``training.corpus.speech_of``.
    """
    first, stop = int(frames[0]) - AUDIO_WINDOW // 2 - 1, int(frames[-1]) + AUDIO_WINDOW // 2 - 1
    windows = take.windows(first, stop, rng)
    covered = take.poses[np.arange(first, stop)[:, None] + np.arange(LISTEN_FRAMES)]
    layout = (frames - frames[0])[:, None] + np.arange(AUDIO_WINDOW)
    around = take.poses[frames[:, None] + np.arange(-AROUND, AROUND + 1)]
    return Span(*map(torch.from_numpy, (windows[:, None], covered, layout, around)))


def open_spoken(folder: Path) -> Spoken:
    """Open a folder with ``aud.wav`` and ``pose.npy``.

    Raises:
        BadSource: If a part is missing, cannot be read or is not as long as the other, or the take is too short.
        SpeechError: If the sound cannot be read.
    """
    path = folder / POSES
    try:
        poses = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as exc:
        raise BadSource(path, "numbers for each frame's mouth", f"{type(exc).__name__}") from exc
    if poses.ndim != 2 or poses.dtype != np.float32 or not np.isfinite(poses).all():
        raise BadSource(path, "finite float32 numbers (frames, P)", f"{poses.dtype} {poses.shape}")
    if len(poses) < SHORTEST_FRAMES:
        raise BadSource(path, f"at least {SHORTEST_FRAMES} frames", f"{len(poses)}")
    mel = mel_spectrogram(read_speech(folder / "aud.wav"))
    assert mel.shape[0] == MEL_BANDS
    count = window_count(mel.shape[1])
    if abs(count - len(poses)) > LENGTH_TOLERANCE:
        raise BadSource(folder, f"sound of {len(poses)} frames, as the poses", f"{count}")
    return Spoken(mel, poses, window_starts(mel.shape[1], max(count, len(poses))), loudness(mel))
