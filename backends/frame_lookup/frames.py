"""An avatar's frames on disk, and the gather that answers a batch of frame ids. No Triton here."""

from __future__ import annotations

import math
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DataFile", "FrameStore", "Rows", "Scratch", "window_indices"]

CHUNK_BYTES = 1 << 22


class DataFile:
    """A file that is read piece by piece.

    It is not mapped into memory: reading what a mapping has lost, as it was cut short or its disk fails, ends a process
    by SIGBUS, and here it is an error of the one request that wants it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        self._fd = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._fd)

    @property
    def size(self) -> int:
        """How many bytes there are now."""
        return os.fstat(self._fd).st_size

    def read_into(self, target: memoryview, offset: int) -> None:
        """Fill ``target`` with the bytes from ``offset`` on.

        Raises:
            OSError: If they cannot be read.
            ValueError: If the file ends before.
        """
        wanted = offset + len(target)
        while target:
            count = os.preadv(self._fd, [target], offset)
            if not count:
                raise ValueError(f"expected {self.name} to hold {wanted} bytes, got {self.size}")
            target, offset = target[count:], offset + count

    def warm(self) -> None:
        """Read all of it once, so that no first viewer waits for the disk."""
        chunk = memoryview(bytearray(CHUNK_BYTES))
        for offset in range(0, self.size, CHUNK_BYTES):
            self.read_into(chunk[: min(CHUNK_BYTES, self.size - offset)], offset)


class Rows(DataFile):
    """An array in a ``.npy`` file whose rows are read when they are asked for.

    Args:
        path: The file.
        dtype: What it must hold.
        shape: Its shape, as ``N, 320, 320, 3``: numbers are fixed, the rest is free.

    Raises:
        OSError: If there is no file.
        ValueError: If it is not such an array, or not whole.
    """

    def __init__(self, path: Path, dtype: type[np.generic], shape: str) -> None:
        super().__init__(path)
        self.dtype = dtype
        self.shape, self._begin = _read_header(path, dtype, shape)
        self._row_bytes = math.prod(self.shape[1:]) * np.dtype(dtype).itemsize
        whole = self._begin + self.shape[0] * self._row_bytes
        if self.size != whole:
            raise ValueError(
                f"expected {path.name} to hold {whole} bytes, as its beginning says, got {self.size}"
            )

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, ids: NDArray[np.int32]) -> NDArray[Any]:
        """Return the rows of (B,) ids that are in range, one after another."""
        rows = np.empty((len(ids), *self.shape[1:]), self.dtype)
        self.read_rows(ids, rows)
        return rows

    def read_rows(self, ids: NDArray[np.int32], target: NDArray[Any]) -> None:
        """Fill ``target`` with the rows of (B,) ids that are in range, one after another."""
        content, size = _bytes_of(target), self._row_bytes
        for index, row in enumerate(ids.tolist()):
            self.read_into(content[index * size : (index + 1) * size], self._begin + row * size)

    def read_all(self) -> NDArray[Any]:
        """Return the whole array."""
        array = np.empty(self.shape, self.dtype)
        self.read_into(_bytes_of(array), self._begin)
        return array


class Scratch:
    """Rows of memory that every batch uses again: the pages of fresh memory cost more than reading a face into them.

    Args:
        count: How many rows a batch takes at most; one that takes more gets fresh memory.
        shape: Of a row.
        dtype: Of its numbers.
    """

    def __init__(self, count: int, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
        self._rows: NDArray[Any] = np.zeros((count, *shape), dtype)
        self._taken = 0

    def begin(self) -> None:
        """Begin a batch: what was taken for the one before may be written over from now on."""
        self._taken = 0

    def take(self, count: int) -> NDArray[Any]:
        """Return (count, *shape), of which nothing was taken for this batch yet."""
        first, self._taken = self._taken, self._taken + count
        if self._taken > len(self._rows):
            return np.empty((count, *self._rows.shape[1:]), self._rows.dtype)
        return self._rows[first : self._taken]


class FrameStore:
    """The frames of one avatar on disk, and warm.

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
        self.faces = Rows(folder / "faces.npy", np.uint8, ", ".join(map(str, ("N", *face_shape))))
        self.sound = Rows(folder / "sound.npy", np.int16, "N, S")
        self.bounds = Rows(folder / "bounds.npy", np.int32, "N, 4").read_all()
        self.full_frames = DataFile(folder / "full_frames.bin")
        self.offsets = Rows(folder / "full_frame_offsets.npy", np.int64, "N + 1").read_all()
        self.audio_shape = audio_shape
        features = Rows(folder / "audio_features.npy", np.float32, "T, D").read_all()
        self._check_fit(features.shape[1], audio_window)
        self.features = np.concatenate([features, np.zeros_like(features[:1])])
        self.windows = window_indices(self.count, len(features), edge_padding, audio_window)
        self.faces.warm()

    @property
    def count(self) -> int:
        """How many frames there are; ids are 0 to ``count - 1``."""
        return len(self.faces)

    def gather_faces(self, frame_ids: NDArray[np.int32], scratch: Scratch | None = None) -> NDArray[np.uint8]:
        """Return (B, *face_shape) uint8 BGR for (B,) ids that are in range, in rows of ``scratch`` if there is one."""
        if scratch is None:
            return self.faces[frame_ids]
        faces = scratch.take(len(frame_ids))
        self.faces.read_rows(frame_ids, faces)
        return faces

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
        spans = zip(self.offsets[frame_ids].tolist(), self.offsets[frame_ids + 1].tolist(), strict=True)
        return np.array([[self._full_frame(start, stop)] for start, stop in spans], np.object_)

    def _full_frame(self, start: int, stop: int) -> bytes:
        jpeg = bytearray(stop - start)
        self.full_frames.read_into(memoryview(jpeg), start)
        return bytes(jpeg)

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
        if self.offsets[-1] != self.full_frames.size:
            raise ValueError(
                f"expected full_frames.bin to hold {self.offsets[-1]} bytes, got {self.full_frames.size}"
            )


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _read_header(path: Path, dtype: type[np.generic], shape: str) -> tuple[tuple[int, ...], int]:
    """Return an array's shape, and where in the file it begins; check both dtype and shape."""
    try:
        with path.open("rb") as file:
            major, _ = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
            read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
            found, is_fortran, kind = read(file)  # type: ignore[no-untyped-call]
            begin = file.tell()
    except ValueError as exc:
        raise ValueError(f"expected {path.name} to hold an array, got: {exc}") from exc
    sides = shape.split(", ")
    fits = len(sides) == len(found) and all(
        int(side) == length for side, length in zip(sides, found, strict=True) if side.isdecimal()
    )
    if kind != dtype or not fits or (is_fortran and len(found) > 1):
        raise ValueError(f"expected {path.name} to be {dtype.__name__} ({shape}), got {kind} {found}")
    return found, begin


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
