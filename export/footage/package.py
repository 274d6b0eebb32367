"""Read a package of the predecessor ("mp4_video_package", version 2.0)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.contract import FACE_SIZE
from export.errors import BadSource
from export.footage.clip import Footage, Frame, encode_full_frame
from export.footage.feature_files import FILE_NAMES, check_counts, read_audio_features
from export.footage.package_video import open_video, read_pictures
from export.footage.sound import find_wav
from export.footage.video import FPS_RANGE

__all__ = ["open_package"]

FULL_VIDEO, FACE_VIDEO = "full_body_video", "rois_320_video"
RECTANGLES = Path("cache") / "crop_rectangles.json"


def open_package(path: Path, audio_mode: str) -> Footage:
    """Open a package folder; its masked video is lossy and not used: the graph masks the face itself.

    Raises:
        BadSource: If a part is missing or the counts do not fit.
    """
    info = _read_json(path / "package_info.json")
    full_video, frame_count, fps = _video(path, info, FULL_VIDEO)
    face_video, face_count, _ = _video(path, info, FACE_VIDEO)
    if face_count != frame_count:
        raise BadSource(path, f"{FACE_VIDEO} of {frame_count} frames like {FULL_VIDEO}", f"{face_count}")
    size = open_video(face_video)
    if (size.width, size.height) != (FACE_SIZE, FACE_SIZE):
        raise BadSource(face_video, f"pictures of {FACE_SIZE}x{FACE_SIZE}", f"{size.width}x{size.height}")
    rectangles = _read_rectangles(path / RECTANGLES, frame_count)
    features_path = path / FILE_NAMES[audio_mode]
    features = read_audio_features(features_path, audio_mode)
    check_counts(features_path, len(features), frame_count)
    frames = _frames(
        read_pictures(face_video, frame_count), read_pictures(full_video, frame_count), rectangles
    )
    checkpoint = path / "checkpoint"
    return Footage(
        "package",
        path.name,
        fps,
        frame_count,
        features,
        find_wav(path),
        frames,
        checkpoint if checkpoint.is_dir() else None,
    )


def _frames(
    faces: Iterator[NDArray[np.uint8]], pictures: Iterator[NDArray[np.uint8]], rectangles: NDArray[np.int32]
) -> Iterator[Frame]:
    for face, picture, bounds in zip(faces, pictures, rectangles, strict=True):
        height, width = picture.shape[:2]
        bounds = np.clip(bounds, 0, [width, height, width, height]).astype(np.int32)
        yield Frame(face, bounds, encode_full_frame(picture))


def _video(path: Path, info: dict[str, Any], name: str) -> tuple[Path, int, float]:
    """Return file, frame count and frames per second of one of the package's videos."""
    info_path = path / "package_info.json"
    try:
        entry = info["videos"][name]
        file, frame_count, fps = path / entry["video_file"], int(entry["frame_count"]), float(entry["fps"])
        named = str(entry["video_file"])
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        expected = f"videos.{name} with video_file, frame_count and fps"
        raise BadSource(info_path, expected, f"no usable {exc}") from exc
    if not file.resolve().is_relative_to(path.resolve()):  # a package may come from anybody
        raise BadSource(info_path, "a file within the package", named)
    if frame_count < 1 or not FPS_RANGE[0] <= fps <= FPS_RANGE[1]:
        expected = (
            f"videos.{name} of 1 frame or more at {FPS_RANGE[0]:g} to {FPS_RANGE[1]:g} frames per second"
        )
        raise BadSource(info_path, expected, f"{frame_count} at {fps:g}")
    return file, frame_count, fps


def _read_rectangles(path: Path, frame_count: int) -> NDArray[np.int32]:
    """Return (N, 4) int32: x1, y1, x2, y2 of each frame's crop."""
    content = _read_json(path)
    expected = f'{{"0": {{"rect": [x1, y1, x2, y2]}}, …}} for {frame_count} frames'
    try:
        rectangles = np.array([content[str(index)]["rect"] for index in range(frame_count)], np.int32)
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        raise BadSource(path, expected, f"no usable {exc}") from exc
    if rectangles.shape != (frame_count, 4):
        raise BadSource(path, expected, f"an array of shape {rectangles.shape}")
    empty = (rectangles[:, :2] >= rectangles[:, 2:]).any(axis=1)
    if empty.any():
        index = int(empty.argmax())
        raise BadSource(
            path, "x1 < x2 and y1 < y2 in every frame", f"{rectangles[index].tolist()} in frame {index}"
        )
    return rectangles


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise BadSource(path, "a JSON file", "nothing there") from exc
    except ValueError as exc:
        raise BadSource(path, "a JSON object", f"text that is not JSON ({exc})") from exc
    if not isinstance(content, dict):
        raise BadSource(path, "a JSON object", f"a {type(content).__name__}")
    return content
