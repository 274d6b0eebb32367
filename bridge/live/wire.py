"""The protocol ``lipsync.speech.v1``, without I/O: control messages and picture packets, to bytes and back.

Text is a JSON object with a ``type``. Binary is, towards the bridge, PCM; towards the client, a picture: a header of 48
bytes, little endian, then a JPEG.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from bridge.errors import BadRequest, BridgeError, shown
from speech.contract import SAMPLE_RATE_HZ
from speech.streaming import FORMATS, RATES_HZ

__all__ = [
    "HEADER_BYTES",
    "NO_SAMPLE",
    "PACINGS",
    "SUBPROTOCOL",
    "Control",
    "End",
    "Flags",
    "Interrupt",
    "Packet",
    "Ping",
    "Start",
    "encode_error",
    "encode_event",
    "parse_control",
]

SUBPROTOCOL = "lipsync.speech.v1"
VERSION = 1
PICTURE = 1
NO_SAMPLE = -1
"""The sample index of a picture to which no sound belongs."""

PACINGS = ("real_time", "none")
"""``real_time``: 25 pictures a second, idle ones too. ``none``: as fast as they are made, and only those of speech."""

HEADER = struct.Struct("<BBHIIIq4ii4x")
HEADER_BYTES = HEADER.size
MAX_NAME_CHARACTERS = 64


class Flags(IntFlag):
    """What a picture is.

    SPEECH: sound belongs to it. FIRST, LAST: of its utterance. SILENT: its mouth is shut, and no network was asked.
    """

    SPEECH = 1
    FIRST = 2
    LAST = 4
    SILENT = 8


@dataclass(frozen=True)
class Packet:
    """A picture on its way to the client.

    Attributes:
        flags: What it is.
        epoch: Counts interruptions; a client drops pictures of an epoch that is over.
        number: Which picture of the session, 25 a second from its start.
        frame_id: The frame of the clip that it was made of.
        sample: The sample of the session's sound, at the client's rate, that sounds when it is shown, or NO_SAMPLE.
        bounds: x1, y1, x2, y2 of the crop in the full frame, pixels, the last two exclusive.
        border: Pixels of the crop that lie around the picture on each side, and are not in it.
        jpeg: The picture, of the network's own size.
    """

    flags: Flags
    epoch: int
    number: int
    frame_id: int
    sample: int
    bounds: tuple[int, int, int, int]
    border: int
    jpeg: bytes

    def encode(self) -> bytes:
        """Return header and JPEG as one message."""
        header = HEADER.pack(
            VERSION,
            PICTURE,
            self.flags,
            self.epoch,
            self.number,
            self.frame_id,
            self.sample,
            *self.bounds,
            self.border,
        )
        return header + self.jpeg


@dataclass(frozen=True)
class Start:
    """Begin a session; the first message."""

    avatar: str
    sample_rate: int = SAMPLE_RATE_HZ
    format: str = "s16le"
    pacing: str = "real_time"
    low_latency: bool = False


@dataclass(frozen=True)
class End:
    """The utterance is over: what follows is another one."""


@dataclass(frozen=True)
class Interrupt:
    """Forget all sound so far, and be silent at once."""


@dataclass(frozen=True)
class Ping:
    """Answer with ``pong`` and the same id."""

    id: str | int | None = None


Control = Start | End | Interrupt | Ping


def parse_control(text: str) -> Control:
    """Read a text message.

    Raises:
        BadRequest: If it is no JSON object of a known type, or a field is not what it should be.
    """
    message = _read_object(text)
    kind = message.get("type")
    if kind == "start":
        return _parse_start(message)
    if kind == "end":
        return End()
    if kind == "interrupt":
        return Interrupt()
    if kind == "ping":
        return Ping(_field(message, "id", (str, int, type(None)), None, "a string or a number"))
    raise BadRequest("type", "one of start, end, interrupt, ping", shown(kind))


def encode_event(kind: str, **fields: object) -> str:
    """Return an event as the JSON text that the client receives."""
    return json.dumps({"type": kind, **fields})


def encode_error(error: BridgeError, fatal: bool, session: str) -> str:
    """Return an error event; ``fatal`` tells whether the session ends with it."""
    return encode_event("error", code=error.code, error=str(error), fatal=fatal, session=session)


def _parse_start(message: Mapping[str, Any]) -> Start:
    avatar = _field(message, "avatar", (str,), None, "the name of an avatar")
    if not 1 <= len(avatar) <= MAX_NAME_CHARACTERS:
        raise BadRequest("avatar", f"a name of 1 to {MAX_NAME_CHARACTERS} characters", shown(avatar))
    start = Start(
        avatar=avatar,
        sample_rate=_field(
            message, "sample_rate", (int,), SAMPLE_RATE_HZ, f"an integer {_range_text()} samples a second"
        ),
        format=_field(message, "format", (str,), "s16le", f"one of {', '.join(FORMATS)}"),
        pacing=_field(message, "pacing", (str,), PACINGS[0], f"one of {', '.join(PACINGS)}"),
        low_latency=_field(message, "low_latency", (bool,), False, "true or false"),
    )
    if start.sample_rate not in RATES_HZ:
        raise BadRequest(
            "sample_rate", f"an integer {_range_text()} samples a second", shown(start.sample_rate)
        )
    for name, value, known in (("format", start.format, FORMATS), ("pacing", start.pacing, PACINGS)):
        if value not in known:
            raise BadRequest(name, f"one of {', '.join(known)}", shown(value))
    return start


def _range_text() -> str:
    return f"from {RATES_HZ[0]} to {RATES_HZ[-1]}"


def _read_object(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadRequest("message", "a JSON object with a type", "text that is not JSON") from exc
    if not isinstance(message, dict):
        raise BadRequest("message", "a JSON object with a type", f"a {type(message).__name__}")
    return message


def _field(
    message: Mapping[str, Any], name: str, kinds: tuple[type, ...], default: Any, expected: str
) -> Any:
    if name not in message and (default is not None or type(None) in kinds):
        return default
    value = message.get(name)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise BadRequest(name, expected, shown(value) if name in message else "nothing")
    return value
