"""What the character does in one frame: plain numbers that face, landmarks and audio features are made from."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["MouthPose", "Pose"]


@dataclass(frozen=True, kw_only=True)
class MouthPose:
    """The shape of the mouth.

    Attributes:
        opening: 0 lips together, 1 wide open.
        width: 0 narrow, 1 a broad smile.
        rounding: 0 flat lips, 1 pushed forward as for "oo".
        tongue: 0 at rest, 1 its tip behind the upper teeth as for "l".
        teeth: 0 as far apart as the lips, 1 closed as for "s".
        bite: 0 lower lip free, 1 under the upper teeth as for "f".
    """

    opening: float = 0.0
    width: float = 0.5
    rounding: float = 0.0
    tongue: float = 0.0
    teeth: float = 0.0
    bite: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Pose:
    """One frame of the character.

    Attributes:
        mouth: The shape of the mouth.
        blink: 0 eyes open, 1 closed.
        gaze_x: -1 looking left, 1 right, as seen in the picture.
        gaze_y: -1 looking up, 1 down.
        brow: Brows lowered (-1) or raised (1).
        shift_x: Head to the right, in units.
        shift_y: Head down, in units.
        roll_deg: Head tilted clockwise, in degrees.
        yaw: -1 head turned to the left of the picture, 1 to the right.
        pitch: -1 head turned up, 1 down.
        breath: -1 breathed out, 1 in.
    """

    mouth: MouthPose = field(default_factory=MouthPose)
    blink: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    brow: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    roll_deg: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    breath: float = 0.0
