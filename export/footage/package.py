"""Read a package of the predecessor ("mp4_video_package", version 2.0)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bounds import DESCRIPTION_BYTES, FRAMES, RECTANGLES_BYTES
from export.contract import UNET_328, Geometry
from export.errors import BadSource
from export.footage.agreement import check_lengths, check_rate
from export.footage.clip import Footage, Frame, encode_full_frame
from export.footage.feature_files import FILE_NAMES, read_audio_features
from export.footage.package_video import open_video, read_pictures
from export.footage.sound import find_wav
from export.json_file import read_object, shown

__all__ = ["WEIGHTS_FOLDER", "open_package"]

FULL_VIDEO, FACE_VIDEO = "full_body_video", "rois_320_video"
"""What the videos' files are called, but for their suffix; the keys they are listed under differ."""

INFO = "package_info.json"
WEIGHTS_FOLDER = "checkpoint"
RECTANGLES = Path("cache") / "crop_rectangles.json"


def open_package(
    path: Path, audio_mode: str, geometry: Geometry = UNET_328, rate: float | None = None
) -> Footage:
    """Open a package folder; its masked video is lossy and not used: the graph masks the face itself.

    Args:
        path: The folder.
        audio_mode: ``ave``, ``hubert`` or ``wenet``.
        geometry: The network's, whose faces the package has to hold.
        rate: Pictures a second; None: what the package says.

    Raises:
        BadSource: If a part is missing, or pictures, features and sound are not of one length.
    """
    info = read_object(path / INFO, DESCRIPTION_BYTES)
    full_video, frame_count, said_fps = _video(path, info, FULL_VIDEO)
    fps = rate or said_fps
    check_rate(path / INFO, fps)
    face_video, face_count, _ = _video(path, info, FACE_VIDEO)
    if face_count != frame_count:
        raise BadSource(path, f"{FACE_VIDEO} of {frame_count} frames like {FULL_VIDEO}", f"{face_count}")
    size = open_video(face_video)
    side = geometry.face_size
    if (size.width, size.height) != (side, side):
        raise BadSource(face_video, f"pictures of {side}x{side}", f"{size.width}x{size.height}")
    rectangles = _read_rectangles(path / RECTANGLES, frame_count)
    features, sound = read_audio_features(path / FILE_NAMES[audio_mode], audio_mode), find_wav(path)
    check_lengths(path, frame_count, fps, len(features), sound.size, remedy=True)
    pictures = zip(
        read_pictures(face_video, frame_count), read_pictures(full_video, frame_count), strict=True
    )
    frames = _frames(path / RECTANGLES, pictures, rectangles)
    return Footage("package", path.name, fps, frame_count, features, sound, frames)


def _frames(
    path: Path,
    pictures: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    rectangles: NDArray[np.int32],
) -> Iterator[Frame]:
    """Yield the frames of faces and full pictures, their rectangles cut off at the picture's edge."""
    for index, ((face, picture), rectangle) in enumerate(zip(pictures, rectangles, strict=True)):
        height, width = picture.shape[:2]
        bounds = np.clip(rectangle, 0, [width, height, width, height]).astype(np.int32)
        if (bounds[:2] >= bounds[2:]).any():
            got = f"{rectangle.tolist()} in frame {index}"
            raise BadSource(path, f"crops that reach into the {width}x{height} picture", got)
        yield Frame(face, bounds, encode_full_frame(picture))


def _video(path: Path, info: dict[str, Any], name: str) -> tuple[Path, int, float]:
    """Return file, frame count and frames per second of one of the package's videos."""
    info_path = path / INFO
    try:
        entry = _entry(info["videos"], name)
        named = str(entry["video_file"])
        file, frame_count, fps = path / named, int(entry["frame_count"]), float(entry["fps"])
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as exc:
        expected = f"an entry of videos whose video_file is {name}.*, with frame_count and fps"
        raise BadSource(info_path, expected, f"no usable {shown(exc)}") from exc
    if not _lies_within(file, path):  # a package may come from anybody
        raise BadSource(info_path, "a file within the package", shown(named))
    if not 1 <= frame_count <= FRAMES:
        raise BadSource(info_path, f"{name} of 1 to {FRAMES} frames", shown(frame_count))
    return file, frame_count, fps


def _lies_within(file: Path, folder: Path) -> bool:
    try:
        return file.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a name that none can have, links in a circle
        return False


def _entry(videos: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what a package says of the video whose file has a name, whatever the entry is called.

    Raises:
        KeyError: If there is none.
    """
    for entry in videos.values():
        if isinstance(entry, dict) and Path(str(entry.get("video_file"))).stem == name:
            return entry
    raise KeyError(name)


def _read_rectangles(path: Path, frame_count: int) -> NDArray[np.int32]:
    """Return (N, 4) int32: x1, y1, x2, y2 of each frame's crop."""
    content = read_object(path, RECTANGLES_BYTES)
    expected = f'{{"0": {{"rect": [x1, y1, x2, y2]}}, …}} for {frame_count} frames'
    try:
        rectangles = np.array([content[str(index)]["rect"] for index in range(frame_count)], np.int32)
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        raise BadSource(path, expected, f"no usable {shown(exc)}") from exc
    if rectangles.shape != (frame_count, 4):
        raise BadSource(path, expected, f"an array of shape {rectangles.shape}")
    empty = (rectangles[:, :2] >= rectangles[:, 2:]).any(axis=1)
    if empty.any():
        index = int(empty.argmax())
        raise BadSource(
            path, "x1 < x2 and y1 < y2 in every frame", f"{rectangles[index].tolist()} in frame {index}"
        )
    return rectangles
