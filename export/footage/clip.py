"""The three places an avatar comes from, each read into the same stream of frames.

A training dataset folder, a package of the predecessor, or a video with its landmarks and speech features.
Everything that can be checked without decoding is checked when a source is opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource
from export.footage.feature_files import FILE_NAMES, check_counts, read_audio_features
from export.footage.landmarks import crop_bounds, cut_face, read_landmarks
from export.footage.sound import find_track, find_wav
from export.footage.video import open_video, read_pictures
from speech.contract import FPS

__all__ = ["Footage", "Frame", "open_dataset", "open_video_with_landmarks"]

JPEG_END = b"\xff\xd9"
FULL_FRAME_QUALITY = 92


@dataclass(frozen=True)
class Frame:
    """One frame of an avatar's clip.

    Attributes:
        face: 320x320x3 uint8 BGR.
        bounds: (4,) int32, x1, y1, x2, y2 of the crop in the full picture.
        full_jpeg: The full picture as JPEG.
    """

    face: NDArray[np.uint8]
    bounds: NDArray[np.int32]
    full_jpeg: bytes


@dataclass(frozen=True)
class Footage:
    """A clip to make an avatar of.

    Attributes:
        kind: ``dataset``, ``package`` or ``video``.
        name: The folder's or file's own name.
        fps: Frames per second.
        frame_count: How many frames ``frames`` yields.
        audio_features: (T, D) float32, one vector per frame.
        sound: (S,) int16 at 16 kHz, from the first frame on; empty if the clip has none.
        frames: Can be walked once; raises BadSource at the first bad frame.
        checkpoint: Weights that came with the clip, if any.
    """

    kind: str
    name: str
    fps: float
    frame_count: int
    audio_features: NDArray[np.float32]
    sound: NDArray[np.int16]
    frames: Iterator[Frame]
    checkpoint: Path | None = None


def open_dataset(path: Path, audio_mode: str) -> Footage:
    """Open a training repository's dataset folder.

    It holds ``full_body_img/<i>.jpg``, ``landmarks/<i>.lms`` and ``aud_ave.npy`` (``aud_hu.npy``, ``aud_wenet.npy``),
    and may hold ``aud.wav``.

    Raises:
        BadSource: If a part is missing or the counts do not fit.
    """
    pictures = _numbered(path / "full_body_img", ".jpg")
    landmarks = _numbered(path / "landmarks", ".lms")
    if len(pictures) != len(landmarks):
        raise BadSource(path, "as many pictures as landmark files", f"{len(pictures)} and {len(landmarks)}")
    features_path = path / FILE_NAMES[audio_mode]
    features = read_audio_features(features_path, audio_mode)
    check_counts(features_path, len(features), len(pictures))
    frames = map(_dataset_frame, pictures, landmarks)
    return Footage("dataset", path.name, FPS, len(pictures), features, find_wav(path), frames)


def open_video_with_landmarks(video: Path, landmarks: Path, audio_features: Path, audio_mode: str) -> Footage:
    """Open a video with a landmark file per frame and its speech features; its sound comes along if PyAV is there.

    Raises:
        BadSource: If a part is missing or the counts do not fit.
    """
    points = _numbered(landmarks, ".lms")
    features = read_audio_features(audio_features, audio_mode)
    check_counts(audio_features, len(features), len(points))
    fps = open_video(video).fps
    frames = map(_video_frame, read_pictures(video, len(points)), points)
    return Footage("video", video.name, fps, len(points), features, find_track(video), frames)


def _numbered(folder: Path, suffix: str) -> list[Path]:
    """Return ``0<suffix>``, ``1<suffix>``, … of a folder."""
    if not folder.is_dir():
        raise BadSource(folder, f"a folder of files 0{suffix}, 1{suffix}, …", "nothing there")
    stems = (file.stem for file in folder.glob(f"*{suffix}"))
    numbers = sorted(int(stem) for stem in stems if re.fullmatch("0|[1-9][0-9]*", stem))
    if not numbers:
        raise BadSource(folder, f"files 0{suffix}, 1{suffix}, …", "none")
    absent = sorted(set(range(numbers[-1] + 1)) - set(numbers))
    if absent:
        raise BadSource(
            folder,
            f"every file from 0{suffix} to {numbers[-1]}{suffix}",
            f"{len(absent)} absent, the first {absent[0]}{suffix}",
        )
    return [folder / f"{number}{suffix}" for number in numbers]


def _dataset_frame(picture_path: Path, landmark_path: Path) -> Frame:
    data = picture_path.read_bytes()
    whole = JPEG_END in data[-64:]  # OpenCV decodes a cut picture, and greys what is missing
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if whole else None
    if picture is None:
        raise BadSource(picture_path, "a whole JPEG picture", f"{len(data)} bytes that are none")
    return _frame(picture, landmark_path, data)  # type: ignore[arg-type]


def _video_frame(picture: NDArray[np.uint8], landmark_path: Path) -> Frame:
    return _frame(picture, landmark_path, encode_full_frame(picture))


def _frame(picture: NDArray[np.uint8], landmark_path: Path, full_jpeg: bytes) -> Frame:
    height, width = picture.shape[:2]
    bounds = crop_bounds(landmark_path, read_landmarks(landmark_path), width, height)
    return Frame(cut_face(picture, bounds), bounds, full_jpeg)


def encode_full_frame(picture: NDArray[np.uint8]) -> bytes:
    """Return a full picture, HxWx3 uint8 BGR, as JPEG."""
    ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, FULL_FRAME_QUALITY])
    assert ok
    return data.tobytes()
