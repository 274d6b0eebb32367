"""The demo's character, as tests need it: for a few frames."""

from __future__ import annotations

from demo.motion import FPS, poses
from demo.pose import Pose
from demo.recording import read_recording
from demo.speech import SAMPLE_RATE_HZ, Phoneme, Speech
from demo.visemes import mouth_poses

__all__ = ["excerpt", "spoken_poses"]


def excerpt(frames: int, recording: str = "served") -> Speech:
    """Return the first frames' worth of a recording that comes with the demo."""
    speech, end_s = read_recording(recording), frames / FPS
    heard = [p for p in speech.phonemes if p.start_s < end_s]
    phonemes = (Phoneme(p.name, p.start_s, min(p.end_s, end_s)) for p in heard)
    return Speech(speech.sound[: frames * SAMPLE_RATE_HZ // FPS], tuple(phonemes))


def spoken_poses(frames: int, seed: int = 0) -> list[Pose]:
    """Return the character's poses while it says the beginning of the served clip."""
    return poses(mouth_poses(excerpt(frames).phonemes, frames, FPS), seed)
