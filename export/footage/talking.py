"""Read a plain video of a talking person: find and follow the face, and compute the speech features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource
from export.footage.agreement import check_lengths
from export.footage.clip import Footage, Frame, Remark, encode_full_frame
from export.footage.detect import FaceFinder
from export.footage.frame_rate import SteadyVideo
from export.footage.landmarks import LEFT, POINT_COUNT, RIGHT, TOP, crop_bounds, cut_face
from export.footage.sound import fit_length, read_sound
from export.footage.tracking import track_face
from export.footage.video import open_video
from export.footage.whole import check_whole
from export.network.encoder_weights import open_encoder
from speech.contract import FPS
from speech.features import extract_features
from speech.wav import FULL_SCALE

__all__ = ["ReadFeatures", "features_reader", "open_talking_video"]

ReadFeatures = Callable[[NDArray[np.float32], Path], NDArray[np.float32]]
"""From a sound, (S,) float32 at 16 kHz, and the file it is from, to one vector per frame at 25 fps, (T, D) float32."""


def open_talking_video(path: Path, finder: FaceFinder, read_features: ReadFeatures) -> Footage:
    """Open a video with sound, at any frame rate; its frames come at 25 per second.

    The video is walked here once to find the face, and again when the frames are.

    Args:
        path: The video.
        finder: Finds the faces in each picture.
        read_features: Computes the speech features of the sound.

    Returns:
        The clip, with remarks on what was changed or bridged, on cuts and people.

    Raises:
        MissingExtra: If PyAV is not installed.
        BadSource: If the video, its sound or the face in it is not as needed.
        BadSound: If its sound is too short for one feature vector.
    """
    check_whole(path)
    header = open_video(path)
    track = read_sound(path, header.start_s)  # before the face: it takes a second, the face takes minutes
    video = SteadyVideo(path)
    marks, face_remarks = track_face(path, video, finder)
    count = len(marks)
    remarks = (*header.remarks, *track.remarks, *_rate_remarks(video, count), *face_remarks)
    sound = fit_length(path, track.samples, count)
    features = read_features(sound / np.float32(FULL_SCALE), path)
    check_lengths(path, count, FPS, len(features), sound.size)
    frames = _frames(video, marks)
    return Footage("video", path.name, FPS, count, features, sound, frames, remarks)


def features_reader(encoder: Path) -> ReadFeatures:
    """Return what computes the ave features of a sound with an audio encoder's file.

    Raises:
        MissingExtra: If the file is a checkpoint and torch is not installed.
        BadCheckpoint, BadEncoder: If the file is not an audio encoder's.
    """
    opened = open_encoder(encoder)
    return lambda samples, source: extract_features(samples, opened, source)


def _frames(video: SteadyVideo, marks: NDArray[np.float64]) -> Iterator[Frame]:
    points = np.zeros((POINT_COUNT, 2), np.int32)
    for index, (picture, mark) in enumerate(zip(video, marks.round(), strict=True)):
        points[LEFT, 0], points[RIGHT, 0], points[TOP, 1] = mark
        height, width = picture.shape[:2]
        try:
            bounds = crop_bounds(video.path, points, width, height)
        except BadSource as exc:
            raise BadSource(video.path, exc.expected, f"{exc.got} in frame {index}") from exc
        yield Frame(cut_face(picture, bounds), bounds, encode_full_frame(picture))


def _rate_remarks(video: SteadyVideo, count: int) -> Iterator[Remark]:
    if video.left_out or video.repeated:
        yield Remark(
            f"resampled to {FPS:g} frames per second by time stamps: {count} frames, "
            f"{video.left_out} pictures left out, {video.repeated} repeated"
        )
