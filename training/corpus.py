"""What training draws from: runs of frames of one take, with the sound around them and their faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speech.contract import AUDIO_WINDOW
from speech.mel import WINDOW_FRAMES, window_starts
from training.takes import COPIES, Take

__all__ = ["Corpus", "Speech", "speech_of"]

MEAN_FACES = 300

Change = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]


@dataclass(frozen=True)
class Speech:
    """The sound around the frames of a batch, each mel window once however many frames it serves.

    Attributes:
        windows: (V, 1, 80, 16) float32, of all runs.
        valid: (V, 1) float32, 0 for a vector before a take's start or past its end, else 1.
        layout: (B, 16) int64, which of the V vectors each frame's window holds.
    """

    windows: Tensor
    valid: Tensor
    layout: Tensor


class Corpus:
    """The takes of one person, and a seeded way to draw from them.

    Args:
        takes: The recordings.
        faces: (N, 320, 320, 3) uint8 BGR, of all takes in turn; may be memory-mapped.
        rng: Every draw comes from it.
    """

    def __init__(self, takes: Sequence[Take], faces: NDArray[np.uint8], rng: np.random.Generator) -> None:
        assert len(faces) == sum(len(take.frames) for take in takes)
        self.takes = tuple(takes)
        self.faces = faces
        self.rng = rng
        ids = [(number, frame) for number, take in enumerate(takes) for frame in take.frames]
        self._row = {key: row for row, key in enumerate(ids)}
        self._ids = ids
        self._thumbnails: dict[int, Tensor] = {}

    def locate(self, row: int) -> tuple[int, int]:
        """Return which take and which of its frames a row of ``faces`` is."""
        return self._ids[row]

    def row(self, take: int, frame: int) -> int | None:
        """Return the row of a take's frame; None if the frame is incomplete."""
        return self._row.get((take, frame))

    def draw_runs(self, count: int, length: int, stride: int) -> NDArray[np.int64]:
        """Draw runs of ``length`` frames of one take, ``stride`` apart, as rows of ``faces``: (count, length).

        Frames of a run share most of their mel windows, so that encoding them costs little more than one of them.
        """
        runs: list[list[int]] = []
        while len(runs) < count:
            number, first = self._ids[int(self.rng.integers(len(self._ids)))]
            rows = [self._row.get((number, first + stride * k)) for k in range(length)]
            if None not in rows:
                runs.append([row for row in rows if row is not None])
        return np.array(runs)

    def draw_rows(self, count: int) -> NDArray[np.int64]:
        """Draw frames, as rows of ``faces``: (count,)."""
        return self.rng.integers(len(self.faces), size=count)

    def speech(self, runs: NDArray[np.int64], change: Change | None = None) -> Speech:
        """Return the sound around runs of frames.

        Args:
            runs: (R, L) rows of ``faces``; each row ascending and of one take.
            change: Applied to each run's stretch of mel spectrogram.
        """
        parts, layouts, offset = [], [], 0
        for run in runs:
            number, frames = self._ids[run[0]][0], np.array([self._ids[row][1] for row in run])
            windows, valid, layout = speech_of(self.takes[number], frames, self.rng, change)
            parts.append((windows, valid))
            layouts.append(layout + offset)
            offset += len(windows)
        return Speech(
            torch.from_numpy(np.concatenate([windows for windows, _ in parts]))[:, None],
            torch.from_numpy(np.concatenate([valid for _, valid in parts]))[:, None],
            torch.from_numpy(np.concatenate(layouts)),
        )

    def windows(self, runs: NDArray[np.int64], change: Change | None = None) -> Tensor:
        """Return the one mel window that begins with each run's first frame: (R, 1, 80, 16) float32."""
        windows = []
        for row in runs[:, 0]:
            number, frame = self._ids[row]
            mel = self.takes[number].mel
            start = window_starts(mel.shape[1], frame + 1)[frame]
            window = mel[:, start : start + WINDOW_FRAMES]
            windows.append(window if change is None else change(window, self.rng))
        return torch.from_numpy(np.stack(windows))[:, None]

    def pictures(self, rows: NDArray[np.int64]) -> Tensor:
        """Return faces as (B, 3, 320, 320) float32, 0.0 to 1.0, BGR, channels last in memory."""
        faces = torch.from_numpy(self.faces[rows.ravel()])
        return faces.permute(0, 3, 1, 2).float().div_(255)

    def thumbnails(self, size: int) -> Tensor:
        """Return all faces shrunk, made at the first call: (N, 3, size, size) float32, 0.0 to 1.0, BGR."""
        if size not in self._thumbnails:
            self._thumbnails[size] = self._shrink(size)
        return self._thumbnails[size].permute(0, 3, 1, 2).float().div_(255)

    def mean_face(self, size: int) -> Tensor:
        """Return the mean of some hundred faces from all over, shrunk: (3, size, size) float32, 0.0 to 1.0, BGR."""
        chosen = self.faces[:: -(-len(self.faces) // MEAN_FACES)]
        mean = np.mean(chosen, axis=0, dtype=np.float32)
        small = cv2.resize(mean, (size, size), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(small).permute(2, 0, 1).div(255)

    def _shrink(self, size: int) -> Tensor:
        small = [cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA) for face in self.faces]
        return torch.from_numpy(np.stack(small))


def speech_of(
    take: Take, frames: NDArray[np.int64], rng: np.random.Generator, change: Change | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Return the mel windows (V, 80, 16), their validity (V,) and the layout (L, 16) of ascending frames of a take.

    Vector j of a clip is window j - 1: one copy of the first stands before it, one of the last after it.
    """
    half = AUDIO_WINDOW // 2
    vectors = np.arange(frames[0] - half, frames[-1] + half)
    valid = (vectors >= 0) & (vectors < take.vector_count)
    window_ids = np.clip(vectors - 1, 0, take.vector_count - COPIES - 1)
    starts = window_starts(take.mel.shape[1], take.vector_count)[window_ids]
    first = starts[0]
    stretch = take.mel[:, first : starts[-1] + WINDOW_FRAMES]
    if change is not None:
        stretch = change(stretch, rng)
    windows = stretch[:, (starts - first)[:, None] + np.arange(WINDOW_FRAMES)].transpose(1, 0, 2)
    layout = (frames - frames[0])[:, None] + np.arange(AUDIO_WINDOW)
    return windows, valid.astype(np.float32), layout
