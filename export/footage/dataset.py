"""A training repository's dataset folder, for whoever reads one: names, numbers, pictures and landmarks.

The importer wants every frame of it, the trainer leaves out a few that lack a file. What a file is called, and which
picture is whole, is the same for both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from export.bounds import FRAMES
from export.contract import UNET_328, Geometry
from export.errors import BadSource
from export.footage.agreement import USUAL_RATES, check_lengths, check_rate
from export.footage.clip import Footage, Frame, cut_frame
from export.footage.feature_files import FILE_NAMES, read_audio_features
from export.footage.pictures import read_jpeg
from export.footage.sound import WAV_FILE, find_wav

__all__ = [
    "LANDMARKS",
    "PICTURES",
    "Dataset",
    "find_numbers",
    "numbered_files",
    "open_dataset",
]

PICTURES, LANDMARKS = "full_body_img", "landmarks"
PICTURE_SUFFIX, LANDMARK_SUFFIX = ".jpg", ".lms"

NUMBER = re.compile("0|[1-9][0-9]{0,8}")
"""What stands before a numbered file's suffix: no leading zeros, no digits of other scripts."""


@dataclass(frozen=True)
class Dataset:
    """A dataset folder: ``full_body_img/<i>.jpg``, ``landmarks/<i>.lms``, ``aud_*.npy`` and ``aud.wav``.

    Attributes:
        folder: The folder.
    """

    folder: Path

    @property
    def sound(self) -> Path:
        """Where its sound lies."""
        return self.folder / WAV_FILE

    def picture(self, frame: int) -> Path:
        """Return where a frame's full picture lies."""
        return self.folder / PICTURES / f"{frame}{PICTURE_SUFFIX}"

    def landmarks(self, frame: int) -> Path:
        """Return where a frame's landmarks lie."""
        return self.folder / LANDMARKS / f"{frame}{LANDMARK_SUFFIX}"

    def features(self, audio_mode: str) -> Path:
        """Return where the speech features of a mode lie."""
        return self.folder / FILE_NAMES[audio_mode]

    def find_frames(self) -> tuple[set[int], set[int]]:
        """Return which frames have a picture, and which have landmarks.

        Raises:
            BadSource: If there are none of either.
        """
        pictures = find_numbers(self.folder / PICTURES, PICTURE_SUFFIX)
        return set(pictures), set(find_numbers(self.folder / LANDMARKS, LANDMARK_SUFFIX))

    def read_frame(self, frame: int, geometry: Geometry = UNET_328) -> Frame:
        """Read a frame's picture and landmarks, and cut its face out for a network.

        Raises:
            BadSource: If one of them is missing, cut short or of something else.
        """
        picture, data = read_jpeg(self.picture(frame))
        return cut_frame(picture, self.landmarks(frame), data, geometry)


def open_dataset(
    path: Path, audio_mode: str, geometry: Geometry = UNET_328, fps: float | None = None
) -> Footage:
    """Open a dataset folder as a clip; it needs every frame and the mode's features, and may have no sound.

    Args:
        path: The folder.
        audio_mode: ``ave``, ``hubert`` or ``wenet``.
        geometry: What faces are cut for.
        fps: Pictures a second; None: what the mode's training prescribes, 20 for wenet, else 25.

    Raises:
        BadSource: If a part is missing, or pictures, features and sound are not of one length.
    """
    rate = fps or USUAL_RATES[audio_mode]
    check_rate(path, rate)
    dataset = Dataset(path)
    pictures = numbered_files(path / PICTURES, PICTURE_SUFFIX)
    landmarks = numbered_files(path / LANDMARKS, LANDMARK_SUFFIX)
    if len(pictures) != len(landmarks):
        raise BadSource(path, "as many pictures as landmark files", f"{len(pictures)} and {len(landmarks)}")
    features, sound = read_audio_features(dataset.features(audio_mode), audio_mode), find_wav(path)
    check_lengths(path, len(pictures), rate, len(features), sound.size, remedy=True)
    frames = (dataset.read_frame(frame, geometry) for frame in range(len(pictures)))
    return Footage("dataset", path.name, rate, len(pictures), features, sound, frames)


def numbered_files(folder: Path, suffix: str) -> list[Path]:
    """Return the files ``0<suffix>``, ``1<suffix>``, … of a folder, none of which may be absent.

    Raises:
        BadSource: If one is, or there are none.
    """
    numbers = find_numbers(folder, suffix)
    absent = numbers[-1] + 1 - len(numbers)
    if absent:
        first = next(place for place, number in enumerate(numbers) if place != number)
        raise BadSource(
            folder,
            f"every file from 0{suffix} to {numbers[-1]}{suffix}",
            f"{absent} absent, the first {first}{suffix}",
        )
    return [folder / f"{number}{suffix}" for number in numbers]


def find_numbers(folder: Path, suffix: str) -> list[int]:
    """Return the numbers of a folder's numbered files, ascending; files of other names are passed over.

    Raises:
        BadSource: If there are none, or too many.
    """
    if not folder.is_dir():
        raise BadSource(folder, f"a folder of files 0{suffix}, 1{suffix}, …", "nothing there")
    stems = sorted(file.stem for file in folder.glob(f"*{suffix}"))
    numbers = sorted(int(stem) for stem in stems if NUMBER.fullmatch(stem))
    if not numbers:
        got = f"none (but {stems[0]}{suffix})" if stems else "none"
        raise BadSource(folder, f"files 0{suffix}, 1{suffix}, …", got)
    if len(numbers) > FRAMES:
        raise BadSource(folder, f"up to {FRAMES} files of frames", f"{len(numbers)}")
    return numbers
