"""The demo's character, as tests need it: for a few frames."""

from __future__ import annotations

from demo.motion import FPS, poses
from demo.pose import Pose
from demo.recording import excerpt, read_recording
from demo.visemes import mouth_poses
from demo.voices import Speech

__all__ = ["spoken", "spoken_poses"]


def spoken(frames: int) -> Speech:
    """Return the beginning of the served recording, so many frames of it."""
    return excerpt(read_recording("served"), frames / FPS)


def spoken_poses(frames: int, seed: int = 0) -> list[Pose]:
    """Return the character's poses while it says that."""
    return poses(mouth_poses(spoken(frames).phonemes, frames, FPS), seed)
