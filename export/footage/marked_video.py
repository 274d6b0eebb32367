"""A video that comes with a landmark file for each frame and its speech features."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.contract import UNET_328, Geometry
from export.footage.agreement import check_lengths, check_rate
from export.footage.clip import Footage, Frame, cut_frame, encode_full_frame
from export.footage.dataset import LANDMARK_SUFFIX, numbered_files
from export.footage.feature_files import read_audio_features
from export.footage.sound import find_track
from export.footage.video import open_video, read_pictures

__all__ = ["open_video_with_landmarks"]


def open_video_with_landmarks(
    video: Path, landmarks: Path, audio_features: Path, audio_mode: str, geometry: Geometry = UNET_328
) -> Footage:
    """Open a video with a landmark file per frame and its speech features; its sound, if any, comes along.

    Pictures are turned as players show them, as a face is found in no others; they are not stretched.

    Raises:
        MissingExtra: If PyAV is not installed.
        BadSource: If a part is missing, or pictures, features and sound are not of one length.
    """
    points = numbered_files(landmarks, LANDMARK_SUFFIX)
    features = read_audio_features(audio_features, audio_mode)
    header = open_video(video, square_pixels=False)
    check_rate(video, header.fps)
    track = find_track(video, header.start_s)
    check_lengths(video, len(points), header.fps, len(features), track.samples.size)
    frames = _cut(read_pictures(video, len(points), square_pixels=False), points, geometry)
    remarks = (*header.remarks, *track.remarks)
    return Footage("video", video.name, header.fps, len(points), features, track.samples, frames, remarks)


def _cut(pictures: Iterator[NDArray[np.uint8]], landmarks: list[Path], geometry: Geometry) -> Iterator[Frame]:
    for picture, points in zip(pictures, landmarks, strict=True):
        yield cut_frame(picture, points, encode_full_frame(picture), geometry)
