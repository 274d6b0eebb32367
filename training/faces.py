"""The faces of all takes, cut out once and kept beside the run as one memory-mapped array."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export.contract import UNET_328
from export.files import new_array, replacing_file
from training.takes import Take

__all__ = ["cached_faces"]


def cached_faces(folder: Path, takes: Sequence[Take]) -> NDArray[np.uint8]:
    """Return the faces of all takes, one take after another: (N, 320, 320, 3) uint8 BGR, read-only.

    They are cut at the first call; later ones map the file, as long as the dataset's files are the same.

    Args:
        folder: Where the file lies; made if need be.
        takes: What to cut.

    Raises:
        BadSource: If a picture or a landmark file cannot be read.
    """
    path = folder / f"faces-{_fingerprint(takes)}.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("faces-*.npy"):
            stale.unlink()
        with replacing_file(path) as new:
            _cut(new, takes)
    faces: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return faces


def _cut(path: Path, takes: Sequence[Take]) -> None:
    frames = [(take, frame) for take in takes for frame in take.frames]
    shape = (len(frames), UNET_328.face_size, UNET_328.face_size, 3)
    faces = new_array(path, np.uint8, shape)
    for index, (take, frame) in enumerate(tqdm(frames, "cutting faces", unit="frame", disable=None)):
        faces[index] = take.dataset.read_frame(frame).face
    faces.flush()


def _fingerprint(takes: Sequence[Take]) -> str:
    """Return a name for the takes' pictures and landmarks as they are now."""
    digest = hashlib.sha256()
    for take in takes:
        for frame in take.frames:
            stats = [path.stat() for path in (take.dataset.picture(frame), take.dataset.landmarks(frame))]
            facts = [(stat.st_size, stat.st_mtime_ns) for stat in stats]
            digest.update(f"{take.dataset.folder.resolve()} {frame} {facts}\n".encode())
    return digest.hexdigest()[:16]
