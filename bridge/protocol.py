"""The WebSocket protocol, without I/O: messages to requests, answers and errors to messages.

A binary request is ``[model_name_len: 1][model_name: UTF-8][frame_id: 4, little endian]`` and is answered
with the JPEG. A text request is a JSON object with a ``type``, and is answered with a JSON object of that
type. An error is a JSON object of type ``error``, whichever form the request had.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bridge.errors import BadRequest, BridgeError, InvalidFrameId, MessageTooLarge, shown
from bridge.request_id import PATTERN as REQUEST_ID_PATTERN

__all__ = [
    "MAX_FRAME_ID",
    "VIDEO_TYPES",
    "FrameRequest",
    "InferenceRequest",
    "JsonRequest",
    "ListModelsRequest",
    "MetadataRequest",
    "Request",
    "VideoFrameRequest",
    "check_frame_id",
    "check_model_name",
    "check_video_type",
    "encode_error",
    "encode_frame_request",
    "encode_json",
    "parse",
    "to_base64",
]

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""What no model's name has in it. Triton's own reading of a name ends at a NUL, so many names would be one model's."""

MAX_FRAME_ID = 2**31 - 1
"""The models' frame ids are INT32; those of the binary request are unsigned."""

VIDEO_TYPES = {
    "full_body": "full_body",
    "full_body_video": "full_body",
    "rois_320": "rois_320",
    "rois_320_video": "rois_320",
}
"""Every spelling of a video type, and the type it means."""


@dataclass(frozen=True)
class FrameRequest:
    """A binary request: answer with the JPEG and nothing else."""

    model_name: str
    frame_id: int


@dataclass(frozen=True)
class InferenceRequest:
    """A JSON request for a frame: answer with the JPEG in base64, its shape and its bounds."""

    type: ClassVar = "inference"
    model_name: str
    frame_id: int
    request_id: str | None = None


@dataclass(frozen=True)
class ListModelsRequest:
    """A JSON request for the names of all avatars."""

    type: ClassVar = "list_models"
    request_id: str | None = None


@dataclass(frozen=True)
class MetadataRequest:
    """A JSON request for an avatar's frame count, rate, audio mode and first bounds."""

    type: ClassVar = "get_metadata"
    model_name: str
    request_id: str | None = None


@dataclass(frozen=True)
class VideoFrameRequest:
    """A JSON request for a source picture; ``video_type`` is ``full_body`` or ``rois_320``."""

    type: ClassVar = "get_video_frame"
    model_name: str
    frame_id: int
    video_type: str
    request_id: str | None = None


JsonRequest = InferenceRequest | ListModelsRequest | MetadataRequest | VideoFrameRequest
"""A text request; its ``request_id`` is the sender's own, if it gave one."""

Request = FrameRequest | JsonRequest


def parse(message: str | bytes, max_message_bytes: int) -> Request:
    """Read one WebSocket message; text is ``str``, binary is ``bytes``.

    Raises:
        MessageTooLarge: If the message has more than ``max_message_bytes``.
        BadRequest: If it is not a request; the sentence names the field, what was expected and what arrived.
    """
    size_bytes = len(message) if isinstance(message, bytes) else len(message.encode())
    if size_bytes > max_message_bytes:
        raise MessageTooLarge(size_bytes, max_message_bytes)
    return _parse_binary(message) if isinstance(message, bytes) else _parse_text(message)


def check_frame_id(frame_id: int) -> int:
    """Return ``frame_id`` if some model may have it.

    Raises:
        InvalidFrameId: If it is negative or beyond INT32.
    """
    if not 0 <= frame_id <= MAX_FRAME_ID:
        raise InvalidFrameId(f"frame_id {shown(frame_id)} is outside [0, {MAX_FRAME_ID}]")
    return frame_id


def check_model_name(name: object) -> str:
    """Return ``name`` if some model may have it.

    Raises:
        BadRequest: If it is not a string of 1 to 255 bytes of UTF-8, without control characters.
    """
    try:
        # JSON can spell half a surrogate pair, which no UTF-8 can carry on to Triton
        if isinstance(name, str) and 1 <= len(name.encode()) <= 255 and not CONTROL.search(name):
            return name
    except UnicodeEncodeError:
        pass
    raise BadRequest("model_name", "a string of 1 to 255 bytes without control characters", shown(name))


def check_video_type(video_type: object) -> str:
    """Return what a spelling of a video type means.

    Raises:
        BadRequest: If it is none.
    """
    if not isinstance(video_type, str) or video_type not in VIDEO_TYPES:
        raise BadRequest("video_type", _one_of(sorted(set(VIDEO_TYPES.values()))), shown(video_type))
    return VIDEO_TYPES[video_type]


def encode_frame_request(model_name: str, frame_id: int) -> bytes:
    """Write the binary request that ``parse`` reads: the other direction, for tests and load generators.

    Raises:
        ValueError: If the name has not 1 to 255 bytes of UTF-8, or the id is outside [0, 2**32 - 1].
    """
    name = model_name.encode()
    if not 1 <= len(name) <= 255:
        raise ValueError(f"expected a model name of 1 to 255 bytes, got {len(name)}")
    if not 0 <= frame_id < 2**32:
        raise ValueError(f"expected a frame id from 0 to {2**32 - 1}, got {frame_id}")
    return bytes([len(name)]) + name + frame_id.to_bytes(4, "little")


def encode_json(kind: str, **fields: object) -> str:
    """Write a successful answer of type ``kind``."""
    return json.dumps({"type": kind, "success": True, **fields})


def encode_error(error: BridgeError, request: Request | None, request_id: str) -> str:
    """Write an error; ``request`` is None when the message was not one."""
    return json.dumps(
        {
            "type": "error",
            "success": False,
            "code": error.code,
            "error": str(error),
            "model_name": getattr(request, "model_name", None),
            "frame_id": getattr(request, "frame_id", None),
            "request_id": request_id,
        }
    )


def to_base64(content: bytes | memoryview) -> str:
    """Return ``content`` in base64, in one line."""
    return binascii.b2a_base64(content, newline=False).decode("ascii")


def _parse_binary(message: bytes) -> FrameRequest:
    if not message or not message[0]:
        raise BadRequest("model_name_len", "1 to 255", "0" if message else "an empty message")
    end = 1 + message[0]
    if len(message) != end + 4:
        raise BadRequest("binary request", f"{end + 4} bytes for its model_name_len", f"{len(message)} bytes")
    try:
        model_name = message[1:end].decode()
    except UnicodeDecodeError as exc:
        raise BadRequest(
            "model_name", "UTF-8", f"byte 0x{message[1 + exc.start]:02x} at {exc.start}"
        ) from exc
    return FrameRequest(check_model_name(model_name), int.from_bytes(message[end:], "little"))


def _parse_text(message: str) -> Request:
    fields = _parse_object(message)
    kind, own_id = fields.get("type"), _request_id(fields)
    if kind == InferenceRequest.type:
        return InferenceRequest(_model_name(fields), _frame_id(fields), own_id)
    if kind == ListModelsRequest.type:
        return ListModelsRequest(own_id)
    if kind == MetadataRequest.type:
        return MetadataRequest(_model_name(fields), own_id)
    if kind == VideoFrameRequest.type:
        return VideoFrameRequest(_model_name(fields), _frame_id(fields), _video_type(fields), own_id)
    raise BadRequest(
        "type", _one_of(["inference", "list_models", "get_metadata", "get_video_frame"]), shown(kind)
    )


def _parse_object(message: str) -> dict[str, Any]:
    try:
        fields = json.loads(message)
    except (ValueError, RecursionError) as exc:  # RecursionError: thousands of opening brackets
        raise BadRequest("text request", "a JSON object", shown(message)) from exc
    if not isinstance(fields, dict):
        raise BadRequest("text request", "a JSON object", shown(fields))
    return fields


def _request_id(fields: dict[str, Any]) -> str | None:
    own_id = fields.get("request_id")
    if own_id is None or (isinstance(own_id, str) and REQUEST_ID_PATTERN.fullmatch(own_id)):
        return own_id
    raise BadRequest("request_id", f"a string of {REQUEST_ID_PATTERN.pattern}", shown(own_id))


def _model_name(fields: dict[str, Any]) -> str:
    return check_model_name(fields.get("model_name"))


def _frame_id(fields: dict[str, Any]) -> int:
    frame_id = fields.get("frame_id")
    if type(frame_id) is not int:  # a bool is an int to isinstance
        raise BadRequest("frame_id", "an integer", shown(frame_id))
    return frame_id


def _video_type(fields: dict[str, Any]) -> str:
    return check_video_type(fields.get("video_type"))


def _one_of(names: Sequence[str]) -> str:
    return f"one of {', '.join(names)}"
