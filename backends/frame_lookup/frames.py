"""An avatar's frames on disk, and the gather that answers a batch of frame ids. No Triton here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameStore", "window_indices"]

PAGE_BYTES = 4096


class FrameStore:
    """The frames of one avatar, memory-mapped and warm.

    Args:
        folder: Holds ``faces.npy`` (N, *face_shape) uint8 BGR, ``audio_features.npy`` (T, D) float32,
            ``sound.npy`` (N, S) int16, ``bounds.npy`` (N, 4) int32, ``full_frames.bin`` and
            ``full_frame_offsets.npy`` (N + 1,) int64.
        face_shape: Height, width and channels of a face: 320x320x3, or 160x160x3.
        audio_shape: The shape one window of feature vectors is given to the network in.
        audio_window: How many vectors a window has: 16, or 8.
        edge_padding: ``zeros`` or ``repeat``; see ``window_indices``.

    Raises:
        OSError: If a file is missing.
        ValueError: If the files do not fit one another.
    """

    def __init__(
        self,
        folder: Path,
        face_shape: tuple[int, ...],
        audio_shape: tuple[int, ...],
        audio_window: int,
        edge_padding: str,
    ) -> None:
        self.faces = _load(folder / "faces.npy", np.uint8, ", ".join(map(str, ("N", *face_shape))))
        self.sound = _load(folder / "sound.npy", np.int16, "N, S")
        self.bounds = _load(folder / "bounds.npy", np.int32, "N, 4")
        self.full_frames = np.memmap(folder / "full_frames.bin", np.uint8, "r")
        self.offsets = _load(folder / "full_frame_offsets.npy", np.int64, "N + 1")
        self.audio_shape = audio_shape
        features = _load(folder / "audio_features.npy", np.float32, "T, D")
        self._check_fit(features.shape[1], audio_window)
        self.features = np.concatenate([features, np.zeros_like(features[:1])])
        self.windows = window_indices(self.count, len(features), edge_padding, audio_window)
        self._warm()

    @property
    def count(self) -> int:
        """How many frames there are; ids are 0 to ``count - 1``."""
        return len(self.faces)

    def gather_faces(self, frame_ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Return (B, *face_shape) uint8 BGR for (B,) ids that are in range; one frame is not copied here."""
        if len(frame_ids) == 1:
            return self.faces[frame_ids[0] : frame_ids[0] + 1]
        return self.faces[frame_ids]

    def gather_audio(self, frame_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return (B, *audio_shape) float32 for (B,) ids that are in range."""
        windows: NDArray[np.float32] = self.features[self.windows[frame_ids]]
        return windows.reshape(len(frame_ids), *self.audio_shape)

    def gather_sound(self, frame_ids: NDArray[np.int32]) -> NDArray[np.int16]:
        """Return (B, S) int16 samples at 16 kHz for (B,) ids that are in range."""
        return self.sound[frame_ids]

    def gather_bounds(self, frame_ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return (B, 4) int32 x1, y1, x2, y2 for (B,) ids that are in range."""
        return self.bounds[frame_ids]

    def gather_full_frames(self, frame_ids: NDArray[np.int32]) -> NDArray[np.object_]:
        """Return (B, 1) objects, each the bytes of a JPEG, for (B,) ids that are in range."""
        spans = zip(self.offsets[frame_ids], self.offsets[frame_ids + 1], strict=True)
        return np.array([[self.full_frames[start:stop].tobytes()] for start, stop in spans], np.object_)

    def _check_fit(self, vector_length: int, audio_window: int) -> None:
        """Check that the files belong to one clip.

        Raises:
            ValueError: If they do not.
        """
        if audio_window * vector_length != np.prod(self.audio_shape):
            raise ValueError(
                f"expected windows of {audio_window} vectors to fill {self.audio_shape}, got vectors of {vector_length}"
            )
        if not self.count == len(self.bounds) == len(self.sound) == len(self.offsets) - 1:
            counts = f"{self.count}, {len(self.bounds)}, {len(self.sound)} and {len(self.offsets) - 1}"
            raise ValueError(f"expected as many faces as bounds, sounds and full frames, got {counts}")
        if self.offsets[-1] != len(self.full_frames):
            raise ValueError(
                f"expected full_frames.bin to hold {self.offsets[-1]} bytes, got {len(self.full_frames)}"
            )

    def _warm(self) -> None:
        """Read a byte of every page, so that no first viewer waits for the disk."""
        self.faces.reshape(-1)[::PAGE_BYTES].max(initial=0)


def _load(path: Path, dtype: type[np.generic], shape: str) -> NDArray[Any]:
    """Map an array whose shape is as written: numbers are fixed, the rest is free."""
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as exc:
        raise ValueError(f"expected {path.name} to hold one whole array, got: {exc}") from exc
    sides = shape.split(", ")
    fits = len(sides) == array.ndim and all(
        int(side) == length for side, length in zip(sides, array.shape, strict=True) if side.isdecimal()
    )
    if array.dtype != dtype or not fits:
        raise ValueError(
            f"expected {path.name} to be {dtype.__name__} ({shape}), got {array.dtype} {array.shape}"
        )
    return array


def window_indices(frame_count: int, vector_count: int, edge_padding: str, window: int) -> NDArray[np.int64]:
    """Return which feature vectors each frame's window holds: (frame_count, window) indices.

    Frame i's window of 16 is the vectors i-8 to i+7, its window of 8 i-4 to i+3. Index ``vector_count`` stands for a
    vector of zeros. Past either end:

    - ``zeros``: zeros, as in training;
    - ``repeat``: the first vector on the left; on the right the last one through the whole window, as one public
      inference program does.

    Raises:
        ValueError: If ``edge_padding`` is neither.
    """
    starts = np.arange(frame_count)[:, None] - window // 2
    indices = starts + np.arange(window)
    if edge_padding == "zeros":
        return np.where((indices < 0) | (indices >= vector_count), vector_count, indices)
    if edge_padding == "repeat":
        overruns = starts + window > vector_count
        return np.where(overruns, vector_count - 1, indices.clip(0))
    raise ValueError(f"expected edge_padding zeros or repeat, got {edge_padding!r}")
