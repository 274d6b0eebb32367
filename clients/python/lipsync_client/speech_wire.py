"""The protocol ``lipsync.speech.v1``, without I/O: what a bridge sends, from text and bytes to dataclasses.

Text is a JSON object with a ``type``. Binary is a picture: a header of 48 bytes, little endian, then a JPEG.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from lipsync_client.errors import InvalidAnswer

__all__ = [
    "FORMATS",
    "FPS",
    "PACINGS",
    "SUBPROTOCOL",
    "Ended",
    "Event",
    "Fault",
    "Idle",
    "Interrupted",
    "Message",
    "PictureFlags",
    "Speaking",
    "SpeechPicture",
    "Started",
    "encode_control",
    "error_sentence",
    "parse_event",
    "parse_picture",
]

SUBPROTOCOL = "lipsync.speech.v1"
FORMATS = {"s16le": 2, "f32le": 4}
"""Bytes of one sample, by the name of its format."""

PACINGS = ("real_time", "none")
FPS = 25
"""Pictures of a session per second."""

VERSION = 1
PICTURE = 1
NO_SAMPLE = -1
HEADER = struct.Struct("<BBHIIIq4ii4x")
JPEG_START = b"\xff\xd8"

TYPES: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
}
"""The JSON values that a field of an event may have, by its annotation."""


class PictureFlags(IntFlag):
    """What a picture is.

    SPEECH: sound belongs to it. FIRST, LAST: of its utterance. SILENT: its mouth is shut.
    """

    SPEECH = 1
    FIRST = 2
    LAST = 4
    SILENT = 8


@dataclass(frozen=True)
class SpeechPicture:
    """One picture of a session: a patch of the full frame ``frame_id``; ``lipsync_client.pasting`` puts it there.

    Attributes:
        flags: What it is.
        epoch: Counts interruptions, from 0.
        number: Which picture of the session, 25 a second from its start.
        frame_id: Which frame of the avatar's clip it is made of.
        sample: The session's sample, at the session's rate, that sounds when it is shown; None for a silent one.
        bounds: x1, y1, x2, y2 of the crop in the full frame, pixels, the last two exclusive.
        border: Pixels of the crop around the picture on each side, at the crop's native size.
        jpeg: The picture.
    """

    flags: PictureFlags
    epoch: int
    number: int
    frame_id: int
    sample: int | None
    bounds: tuple[int, int, int, int]
    border: int
    jpeg: bytes

    @property
    def is_speech(self) -> bool:
        """Whether sound belongs to it."""
        return PictureFlags.SPEECH in self.flags

    @property
    def is_first(self) -> bool:
        """Whether it is the first of its utterance."""
        return PictureFlags.FIRST in self.flags

    @property
    def is_last(self) -> bool:
        """Whether it is the last of its utterance."""
        return PictureFlags.LAST in self.flags

    @property
    def is_silent(self) -> bool:
        """Whether its mouth is shut, as nothing is said."""
        return PictureFlags.SILENT in self.flags


@dataclass(frozen=True)
class Started:
    """The session has begun.

    Attributes:
        session: Its name, for the bridge's log.
        avatar: Whose pictures come.
        epoch: Of its first pictures.
        fps: Pictures a second.
        frame_count: Frames of the avatar's clip.
        width: Of a picture, pixels.
        height: Of a picture, pixels.
        border: As in a picture.
        sample_rate: Samples a second.
        samples_per_frame: Samples that sound while one picture is shown.
        look_ahead_ms: How much sound after its own a picture waits for.
        lead_ms: How long before its time a picture may come.
        held_ms: How much sound may wait for its pictures.
    """

    session: str
    avatar: str
    epoch: int
    fps: float
    frame_count: int
    width: int
    height: int
    border: int
    sample_rate: int
    samples_per_frame: float
    look_ahead_ms: float
    lead_ms: float
    held_ms: float


@dataclass(frozen=True)
class Speaking:
    """The next picture is the first of an utterance, or of what follows missing sound."""

    epoch: int
    number: int
    sample: int


@dataclass(frozen=True)
class Idle:
    """Silent pictures follow; ``reason``: ``ended``, all is said, or ``starved``, sound is missing."""

    epoch: int
    number: int
    reason: str


@dataclass(frozen=True)
class Ended:
    """An utterance that was ended is shown.

    Attributes:
        epoch: Of its pictures.
        samples: The session's samples to its end.
        pictures: Those of it that were sent.
        skipped: Those of it that were left out: late or lost.
    """

    epoch: int
    samples: int
    pictures: int
    skipped: int


@dataclass(frozen=True)
class Interrupted:
    """A new epoch has begun.

    Attributes:
        epoch: The new one.
        sample: The last sample whose picture was due, None if that was a silent one.
        number: Of the new epoch's first picture.
    """

    epoch: int
    sample: int | None
    number: int


@dataclass(frozen=True)
class Fault:
    """Something went wrong; the session goes on unless it is ``fatal``, and then an error is raised instead."""

    code: str
    error: str
    fatal: bool


Event = Started | Speaking | Idle | Ended | Interrupted | Fault
Message = SpeechPicture | Event

EVENTS: Mapping[str, type[Event]] = {
    "started": Started,
    "speaking": Speaking,
    "idle": Idle,
    "ended": Ended,
    "interrupted": Interrupted,
    "error": Fault,
}


def encode_control(kind: str, **fields: object) -> str:
    """Return a control message as its JSON text."""
    return json.dumps({"type": kind, **fields})


def error_sentence(body: bytes, otherwise: str) -> str:
    """Return what the bridge's answer to an HTTP request says is wrong."""
    try:
        sentence = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return otherwise
    return str(sentence)


def parse_event(avatar: str, text: str) -> Event | None:
    """Read a text message; None for one of a type that this version does not know.

    Raises:
        InvalidAnswer: If it is no JSON object with a type, or lacks a field of it.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidAnswer(avatar, "events as JSON", "text that is not JSON") from exc
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise InvalidAnswer(avatar, "events with a type", repr(text[:40]))
    event = EVENTS.get(message["type"])
    return None if event is None else _parse(avatar, event, message)


def parse_picture(avatar: str, content: bytes) -> SpeechPicture | None:
    """Read a binary message; None for one of a kind that this version does not know.

    Raises:
        InvalidAnswer: If it is shorter than its header, of another version, or has no JPEG.
    """
    if len(content) < HEADER.size:
        expected = f"pictures with a header of {HEADER.size} bytes"
        raise InvalidAnswer(avatar, expected, f"{len(content)} bytes")
    version, kind, flags, epoch, number, frame_id, sample, *bounds, border = HEADER.unpack_from(content)
    if version != VERSION:
        raise InvalidAnswer(avatar, f"pictures of version {VERSION}", f"version {version}")
    if kind != PICTURE:
        return None
    jpeg = content[HEADER.size :]
    if not jpeg.startswith(JPEG_START):
        raise InvalidAnswer(avatar, "pictures with a JPEG", repr(jpeg[:8]))
    x1, y1, x2, y2 = bounds
    return SpeechPicture(
        PictureFlags(flags),
        epoch,
        number,
        frame_id,
        None if sample == NO_SAMPLE else sample,
        (x1, y1, x2, y2),
        border,
        jpeg,
    )


def _parse(avatar: str, event: type[Event], message: Mapping[str, Any]) -> Event:
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(event):
        value = message.get(field.name)
        types = TYPES[str(field.type)]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            expected = f"events '{message['type']}' with {field.name} of type {field.type}"
            raise InvalidAnswer(avatar, expected, repr(value))
        fields[field.name] = value
    return event(**fields)
