"""What an engine is given, what it asks for, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bridge.live.wire import Flags
from speech.contract import SAMPLES_PER_FRAME
from speech.utterance import LOOK_AHEAD_VECTORS, Utterance

__all__ = [
    "Counts",
    "EncodeRequest",
    "EngineOptions",
    "PaintRequest",
    "Picture",
    "Request",
    "SilentRequest",
    "Spoken",
    "Vectors",
]

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Picture:
    """A painted face: its JPEG, and x1, y1, x2, y2 of its crop in the full frame."""

    jpeg: bytes
    bounds: tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What a session is given.

    Attributes:
        frame_count: Frames of the avatar's clip.
        border: Pixels of the crop around the network's picture.
        samples_per_frame: Of the client's sound while one picture is shown: its rate by 25.
        paced: Whether pictures follow the clock, idle ones between.
        look_ahead: See ``speech.utterance``.
        lead_s: How long before its time a picture may be made.
        requests: How many pictures may be asked for at once.
        batch: How many vectors may be asked for in one request.
    """

    frame_count: int
    border: int = 4
    samples_per_frame: float = SAMPLES_PER_FRAME
    paced: bool = True
    look_ahead: int = LOOK_AHEAD_VECTORS
    lead_s: float = 2.0
    requests: int = 4
    batch: int = 16


@dataclass(eq=False)
class Spoken:
    """One utterance on the session's time line.

    Attributes:
        first_sample: The session's sample, at the client's rate, that it begins with.
        end_sample: The one after its last so far.
        heard: What was heard of it.
        asked: Its next picture to ask for.
        anchor: The number that its picture 0 would have; None while no picture of it is on its way.
        sent: Pictures that were sent.
        skipped: Pictures that were left out.
        heard_s: When all sound was there that its first picture needs; None before.
    """

    first_sample: int
    heard: Utterance
    asked: int = 0
    anchor: int | None = None
    sent: int = 0
    skipped: int = 0
    heard_s: float | None = None
    end_sample: int = 0

    @property
    def held_frames(self) -> int:
        """How many pictures are to be asked for of what was heard so far."""
        return -(-max(1, self.heard.sample_count) // SAMPLES_PER_FRAME) - self.asked

    @property
    def is_asked_for(self) -> bool:
        """Whether there is no picture left to ask for."""
        return self.heard.frame_count is not None and self.asked >= self.heard.frame_count


@dataclass(frozen=True, eq=False)
class EncodeRequest:
    """Ask for the vectors of ``samples``, (n, 3800) float32; ``first`` is the number of the first of them."""

    spoken: Spoken
    first: int
    samples: Vectors


@dataclass(frozen=True, eq=False)
class PaintRequest:
    """Ask for a picture: frame ``frame_id`` of the clip saying ``window``, (16, 512) float32."""

    spoken: Spoken
    number: int
    frame_id: int
    sample: int
    flags: Flags
    window: Vectors


@dataclass(frozen=True)
class SilentRequest:
    """Ask for a frame of the clip with its mouth shut, to be remembered."""

    frame_id: int


Request = EncodeRequest | PaintRequest | SilentRequest


@dataclass
class Counts:
    """What happened in a session.

    Attributes:
        pictures: Speaking pictures that were sent.
        silent: Silent pictures that were sent, from memory.
        skipped: Speaking pictures that were left out, late or lost.
        starved: How often the sound was missing in mid-utterance.
        interrupts: How often the client interrupted.
        first_picture_s: Of each utterance, from the last sample that its first picture needed to that picture.
        late_s: Of each speaking picture, by how much it came after it was due; below 0 before.
    """

    pictures: int = 0
    silent: int = 0
    skipped: int = 0
    starved: int = 0
    interrupts: int = 0
    first_picture_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
