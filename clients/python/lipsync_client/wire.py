"""What goes over the wire and comes back, whichever the protocol: pure functions, no I/O.

An avatar is a Triton ensemble ``<avatar>`` beside its frame lookup ``<avatar>_frames``:

=============== ========= ======== ==================================================
tensor          direction datatype content
=============== ========= ======== ==================================================
``frame_id``    in        INT32    (B, 1), within [0, frame_count - 1]
``jpeg``        out       BYTES    (B, 1), one JPEG each
``bounds``      out       INT32    (B, 4), crop x1, y1, x2, y2 in pixels of the frame
=============== ========= ======== ==================================================
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from lipsync_client.errors import InvalidAnswer, InvalidFrameId

__all__ = [
    "FRAME_ID",
    "OUTPUTS",
    "Answer",
    "AvatarMetadata",
    "Call",
    "Frame",
    "avatar_names",
    "checked_frame_ids",
    "chunked",
    "frame_id_tensor",
    "frames_model",
    "max_batch_size",
    "parse_frames",
    "parse_metadata",
]

FRAME_ID = "frame_id"
OUTPUTS = ("jpeg", "bounds")
INT32 = np.iinfo(np.int32)
MAX_SHOWN = 300
"""Characters of what another sent that an error shows."""

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Frame:
    """One rendered frame.

    Attributes:
        frame_id: The id it was asked for with.
        jpeg: The picture.
        bounds: Where it belongs in the full frame: x1, y1, x2, y2 in pixels.
        latency_ms: From sending its request to having its answer, in milliseconds.
    """

    frame_id: int
    jpeg: bytes
    bounds: tuple[int, int, int, int]
    latency_ms: float


@dataclass(frozen=True)
class AvatarMetadata:
    """What the server says about one avatar.

    Attributes:
        model_name: The avatar.
        frame_count: Valid frame ids are 0 to ``frame_count - 1``.
        fps: Frames per second of the source clip.
        audio_mode: The audio features the avatar was trained on: ``ave``, ``hubert`` or ``wenet``.
        edge_padding: How the audio window is filled beyond the first and the last frame.
        max_batch_size: The most frames one request may ask for.
    """

    model_name: str
    frame_count: int
    fps: float
    audio_mode: str
    edge_padding: str
    max_batch_size: int


class Answer(Protocol):
    """An inference answer as either half of tritonclient gives it."""

    def as_numpy(self, name: str) -> npt.NDArray[Any] | None:
        """Return the output tensor ``name``, None if it isn't there."""


@dataclass(frozen=True)
class Call(Generic[T_co]):
    """One request, and how to read its answer; a transport only moves both.

    Attributes:
        request: What the transport sends, in its protocol's own type.
        parse: Makes the result from what came back, in its protocol's own type.
        model_name: The avatar asked about, for errors; None if the request is about the server.
    """

    request: Any
    parse: Callable[[Any], T_co]
    model_name: str | None = None


def frames_model(model_name: str) -> str:
    """Return the name of an avatar's frame lookup."""
    return f"{model_name}_frames"


def checked_frame_ids(model_name: str, frame_ids: Iterable[object]) -> list[int]:
    """Return the ids as plain integers; the server alone knows the avatar's range.

    Raises:
        InvalidFrameId: If one isn't an integer that fits INT32.
    """
    return [_checked_frame_id(model_name, frame_id) for frame_id in frame_ids]


def frame_id_tensor(frame_ids: Sequence[int]) -> npt.NDArray[np.int32]:
    """Return the input tensor, (B, 1) int32, little endian."""
    return np.array(frame_ids, "<i4").reshape(-1, 1)


def chunked(frame_ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Cut ``frame_ids`` into pieces of ``size``, the last one shorter."""
    return (frame_ids[start : start + size] for start in range(0, len(frame_ids), size))


def parse_frames(model_name: str, frame_ids: Sequence[int], answer: Answer, latency_ms: float) -> list[Frame]:
    """Return one frame per id, in their order.

    Raises:
        InvalidAnswer: If an output is missing or has another shape.
    """
    count = len(frame_ids)
    jpegs = _output(model_name, answer, "jpeg", (count, 1))
    bounds = _output(model_name, answer, "bounds", (count, 4)).tolist()
    return [
        Frame(frame_id, bytes(jpeg), tuple(box), latency_ms)
        for frame_id, jpeg, box in zip(frame_ids, jpegs[:, 0], bounds, strict=True)
    ]


def avatar_names(models: Iterable[str]) -> list[str]:
    """Return the avatars among the models that are ready, sorted: each M that has its M_frames."""
    ready = set(models)
    return sorted(name for name in ready if frames_model(name) in ready)


def max_batch_size(model_name: str, config: Mapping[str, Any]) -> int:
    """Return how many frames one request to the ensemble may ask for.

    Raises:
        InvalidAnswer: If the model doesn't batch, hence is no avatar.
    """
    size = config.get("max_batch_size", 0)
    if not isinstance(size, int) or size < 1:
        raise InvalidAnswer(model_name, "a max_batch_size of at least 1", repr(size)[:MAX_SHOWN])
    return size


def parse_metadata(
    model_name: str, frames_config: Mapping[str, Any], config: Mapping[str, Any]
) -> AvatarMetadata:
    """Return an avatar's facts.

    Args:
        model_name: The avatar.
        frames_config: Configuration of its frame lookup, whose parameters hold the facts.
        config: Configuration of its ensemble, which limits the batch.

    Raises:
        InvalidAnswer: If a parameter is missing or isn't a number where it must be.
    """
    given = frames_config.get("parameters", {})
    try:
        given = {key: str(entry.get("string_value", "")) for key, entry in given.items()}
        frame_count, fps = int(given["frame_count"]), float(given["fps"])
        if frame_count < 1 or not 0 < fps < math.inf:
            raise ValueError(f"{frame_count} frames at {fps} a second")
        return AvatarMetadata(
            model_name=model_name,
            frame_count=frame_count,
            fps=fps,
            audio_mode=given["audio_mode"],
            edge_padding=given["edge_padding"],
            max_batch_size=max_batch_size(model_name, config),
        )
    except (KeyError, ValueError, AttributeError) as exc:  # AttributeError: JSON of another shape
        expected = "the parameters frame_count, fps, audio_mode and edge_padding"
        raise InvalidAnswer(frames_model(model_name), expected, repr(given)[:MAX_SHOWN]) from exc


def _checked_frame_id(model_name: str, frame_id: object) -> int:
    try:
        number = operator.index(frame_id)  # type: ignore[arg-type]  # refusing other types is the point
    except TypeError as exc:
        raise InvalidFrameId(model_name, frame_id, INT32.min, INT32.max) from exc
    if isinstance(frame_id, bool) or not INT32.min <= number <= INT32.max:
        raise InvalidFrameId(model_name, frame_id, INT32.min, INT32.max)
    return number


def _output(model_name: str, answer: Answer, name: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    expected = f"an output {name!r} of shape {shape}"
    try:
        tensor = answer.as_numpy(name)
    except Exception as exc:  # tritonclient trips over whatever is missing in a damaged answer
        raise InvalidAnswer(model_name, expected, f"one that cannot be read ({type(exc).__name__})") from exc
    if tensor is None or tensor.shape != shape:
        got = "none" if tensor is None else f"shape {tensor.shape}"
        raise InvalidAnswer(model_name, expected, got)
    return tensor
