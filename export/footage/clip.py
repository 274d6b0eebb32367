"""A clip: what every source is read into, and what an avatar is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.contract import UNET_328, Geometry
from export.footage.landmarks import crop_bounds, cut_face, read_landmarks

__all__ = ["Footage", "Frame", "Remark", "cut_frame", "encode_full_frame"]

FULL_FRAME_QUALITY = 92


@dataclass(frozen=True)
class Frame:
    """One frame of an avatar's clip.

    Attributes:
        face: SxSx3 uint8 BGR; S of the network's geometry, 320 or 160.
        bounds: (4,) int32, x1, y1, x2, y2 of the crop in the full picture.
        full_jpeg: The full picture as JPEG.
    """

    face: NDArray[np.uint8]
    bounds: NDArray[np.int32]
    full_jpeg: bytes


@dataclass(frozen=True)
class Remark:
    """What whoever imports a clip should know about it: something was changed, bridged or looks wrong.

    Attributes:
        text: A sentence, without the file's name and without a full stop.
        frames: Which frames it is about, ascending; empty: the clip as a whole.
    """

    text: str
    frames: tuple[int, ...] = ()


@dataclass(frozen=True)
class Footage:
    """A clip to make an avatar of.

    Attributes:
        kind: ``dataset``, ``package``, ``video`` or ``LiveTalking``.
        name: The folder's or file's own name.
        fps: Frames per second.
        frame_count: How many frames ``frames`` yields.
        audio_features: (T, D) float32, one vector per frame, give or take a few.
        sound: (S,) int16 at 16 kHz, from the first frame on; empty if the clip has none.
        frames: Can be walked once; raises BadSource at the first bad frame.
        remarks: What is to be said about it.
    """

    kind: str
    name: str
    fps: float
    frame_count: int
    audio_features: NDArray[np.float32]
    sound: NDArray[np.int16]
    frames: Iterator[Frame]
    remarks: tuple[Remark, ...] = ()


def cut_frame(
    picture: NDArray[np.uint8], landmarks: Path, full_jpeg: bytes, geometry: Geometry = UNET_328
) -> Frame:
    """Cut the face out of a full picture, HxWx3 uint8 BGR, by its landmark file.

    Raises:
        BadSource: If the landmarks are missing, none, or not of a face in this picture.
    """
    height, width = picture.shape[:2]
    bounds = crop_bounds(landmarks, read_landmarks(landmarks), width, height)
    return Frame(cut_face(picture, bounds, geometry), bounds, full_jpeg)


def encode_full_frame(picture: NDArray[np.uint8]) -> bytes:
    """Return a full picture, HxWx3 uint8 BGR, as JPEG."""
    ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, FULL_FRAME_QUALITY])
    assert ok
    return data.tobytes()
