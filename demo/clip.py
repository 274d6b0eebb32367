"""Writes a clip's folder: the video, the landmarks of each frame, the audio features. All of it, or nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from demo.errors import ClipExists, ClipNotWritten, InvalidSetting
from demo.face import FaceRenderer
from demo.features import audio_features
from demo.landmarks import landmarks
from demo.motion import FPS, babble, poses
from demo.pose import Pose

__all__ = ["FEATURES_FILE", "LANDMARKS_FOLDER", "MAX_SIZE_PX", "MIN_SIZE_PX", "VIDEO_FILE", "write_clip"]

VIDEO_FILE = "video.avi"
LANDMARKS_FOLDER = "landmarks"
FEATURES_FILE = "audio_features.npy"
MIN_SIZE_PX = 256
MAX_SIZE_PX = 1024


def write_clip(folder: Path, *, frames: int = 150, size_px: int = 512, quiet: bool = False) -> None:
    """Draw the clip and write it to ``folder``, which appears only when complete.

    Args:
        folder: Must not exist yet; its parents are made.
        frames: Number of frames, at 25 per second.
        size_px: Width and height of the video, in pixels; even.
        quiet: Whether to show no progress bar.

    Raises:
        InvalidSetting: If ``frames`` or ``size_px`` is outside its range.
        ClipExists: If ``folder`` is already there.
        ClipNotWritten: If the disk or the video writer refuses.
    """
    if not MIN_SIZE_PX <= size_px <= MAX_SIZE_PX or size_px % 2:
        raise InvalidSetting("size", f"an even number of pixels, {MIN_SIZE_PX} to {MAX_SIZE_PX}", size_px)
    sequence = poses(babble(frames))
    if os.path.lexists(folder):
        raise ClipExists(folder)
    try:
        with _appearing(folder) as draft:
            np.save(draft / FEATURES_FILE, audio_features(sequence))
            _write_landmarks(draft / LANDMARKS_FOLDER, sequence, size_px)
            _write_video(draft / VIDEO_FILE, sequence, size_px, quiet)
    except OSError as exc:
        raise ClipNotWritten(folder, str(exc)) from exc


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Lend a temporary folder beside ``folder`` that takes its name at the end, or goes if the body fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield draft
        draft.chmod(0o755)  # mkdtemp makes a private folder
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _write_landmarks(folder: Path, sequence: Sequence[Pose], size_px: int) -> None:
    folder.mkdir()
    for i, pose in enumerate(sequence):
        lines = (f"{int(x)} {int(y)}\n" for x, y in landmarks(pose, size_px))
        (folder / f"{i}.lms").write_text("".join(lines))


def _write_video(path: Path, sequence: Sequence[Pose], size_px: int, quiet: bool) -> None:
    """Write the frames as Motion JPEG: OpenCV's own, of quality 95, needs no codec."""
    renderer = FaceRenderer(size_px)
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, codec, FPS, (size_px, size_px))
    try:
        if not writer.isOpened():
            raise OSError("OpenCV could not open its Motion JPEG writer")
        for pose in tqdm(sequence, "drawing the demo clip", unit="frame", disable=quiet or None):
            writer.write(renderer.draw(pose))
    finally:
        writer.release()
    _check_video(path, len(sequence))


def _check_video(path: Path, frames: int) -> None:
    # VideoWriter.write reports nothing, not even a full disk.
    reader = cv2.VideoCapture(str(path))
    try:
        readable = sum(1 for _ in range(frames + 1) if reader.grab())
    finally:
        reader.release()
    if readable != frames:
        raise OSError(f"the video should hold {frames} frames, {readable} can be read back")
