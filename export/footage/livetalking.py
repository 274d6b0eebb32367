"""Read an ultralight avatar of LiveTalking: full pictures, crops of 168x168, and where they were cut out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.bounds import FRAMES
from export.contract import UNET_160, Geometry
from export.errors import BadSource
from export.footage.agreement import USUAL_RATES, check_lengths, check_rate
from export.footage.clip import Footage, Frame, Remark, encode_full_frame
from export.footage.coordinates import read_coordinates
from export.footage.feature_files import FILE_NAMES, read_audio_features
from export.footage.landmarks import inner_face
from export.footage.pictures import read_picture
from export.footage.sound import find_wav
from speech.contract import vector_size

__all__ = ["open_livetalking"]

FULL_PICTURES, CROPS, COORDINATES = "full_imgs", "face_imgs", "coords.pkl"
NUMBERED = re.compile(r"([0-9]{1,8})\.(png|jpg|jpeg)")


def open_livetalking(
    path: Path, audio_mode: str, geometry: Geometry = UNET_160, fps: float | None = None
) -> Footage:
    """Open an avatar folder: ``full_imgs/%08d.png``, ``face_imgs/``, ``coords.pkl`` and ``ultralight.pth``.

    Such an avatar holds no speech. If its folder has features (``aud_hu.npy``, ``aud_wenet.npy``) and ``aud.wav`` as
    a dataset has, its clip says them; else every window is zeros, as it is past a clip's ends in training.

    Args:
        path: The folder.
        audio_mode: ``hubert`` or ``wenet``.
        geometry: The network's.
        fps: Pictures a second; None: what the mode's training prescribes, 20 for wenet, else 25.

    Raises:
        BadSource: If a part is missing, or the counts or sizes do not fit.
    """
    rate = fps or USUAL_RATES[audio_mode]
    check_rate(path, rate)
    pictures, crops = _numbered(path / FULL_PICTURES), _numbered(path / CROPS)
    bounds = read_coordinates(path / COORDINATES)
    if not len(pictures) == len(crops) == len(bounds):
        got = f"{len(pictures)}, {len(crops)} and {len(bounds)}"
        raise BadSource(path, f"as many pictures in {FULL_PICTURES} and {CROPS} as in {COORDINATES}", got)
    sound = find_wav(path)
    features, remarks = _features(path, audio_mode, len(pictures))
    check_lengths(path, len(pictures), rate, len(features), sound.size, remedy=True)
    frames = _frames(pictures, crops, bounds, geometry)
    return Footage("LiveTalking", path.name, rate, len(pictures), features, sound, frames, remarks)


def _features(path: Path, audio_mode: str, count: int) -> tuple[NDArray[np.float32], tuple[Remark, ...]]:
    file = path / FILE_NAMES[audio_mode]
    if file.is_file():
        return read_audio_features(file, audio_mode), ()
    text = f"comes without speech: its clip is painted with windows of zeros, as there is no {file.name} in its folder"
    return np.zeros((count, vector_size(audio_mode)), np.float32), (Remark(text),)


def _numbered(folder: Path) -> list[Path]:
    """Return a folder's numbered pictures by their numbers, which begin with 0 and leave none out.

    Raises:
        BadSource: If there are none, too many, or one is absent.
    """
    if not folder.is_dir():
        raise BadSource(folder, "a folder of pictures 00000000.png, 00000001.png, …", "nothing there")
    found = {int(match[1]): file for file in folder.iterdir() if (match := NUMBERED.fullmatch(file.name))}
    if not found or sorted(found) != list(range(len(found))):
        absent = next((number for number in range(len(found)) if number not in found), 0)
        got = f"{len(found)} of them, without {absent:08d}" if found else "none"
        raise BadSource(folder, "pictures 00000000.png, 00000001.png, … with none left out", got)
    if len(found) > FRAMES:
        raise BadSource(folder, f"up to {FRAMES} pictures", f"{len(found)}")
    return [found[number] for number in range(len(found))]


def _frames(
    pictures: list[Path], crops: list[Path], bounds: NDArray[np.int32], geometry: Geometry
) -> Iterator[Frame]:
    side = geometry.crop_size
    for picture_path, crop_path, square in zip(pictures, crops, bounds, strict=True):
        picture, crop = read_picture(picture_path), read_picture(crop_path)
        if crop.shape != (side, side, 3):
            raise BadSource(crop_path, f"a crop of {side}x{side}", f"{crop.shape[1]}x{crop.shape[0]}")
        height, width = picture.shape[:2]
        x1, y1, x2, y2 = square.tolist()
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            inside = f"a crop inside its {width}x{height} picture"
            raise BadSource(picture_path, inside, f"{square.tolist()} in {COORDINATES}")
        yield Frame(inner_face(crop, geometry), square, encode_full_frame(picture))
