"""Tensors, batches and answers, apart from any protocol."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from lipsync_client import AvatarMetadata, Frame, InvalidAnswer, InvalidFrameId
from lipsync_client.wire import (
    avatar_names,
    checked_frame_ids,
    chunked,
    frame_id_tensor,
    max_batch_size,
    parse_frames,
    parse_metadata,
)

PARAMETERS = {"frame_count": "150", "fps": "29.97", "audio_mode": "hubert", "edge_padding": "replicate"}


class DictAnswer(dict[str, Any]):
    """An answer made by hand."""

    def as_numpy(self, name: str) -> Any:
        return self.get(name)


def frames_config(**changes: str) -> dict[str, Any]:
    """Return a frame lookup's configuration as Triton gives it in JSON."""
    parameters = {**PARAMETERS, **changes}
    return {"parameters": {key: {"string_value": value} for key, value in parameters.items()}}


def test_frame_id_tensor_is_little_endian_int32_with_a_batch_axis() -> None:
    """Ids become the bytes that KServe's raw INT32 tensors have."""
    tensor = frame_id_tensor([1, -2])
    assert tensor.shape == (2, 1)
    assert tensor.tobytes() == b"\x01\x00\x00\x00\xfe\xff\xff\xff"


def test_numpy_integers_are_frame_ids() -> None:
    """Any integer type will do, at both ends of INT32."""
    ids = [np.int64(7), -(2**31), 2**31 - 1]
    assert checked_frame_ids("demo", ids) == [7, -(2**31), 2**31 - 1]


@pytest.mark.parametrize("frame_id", ["7", 7.0, None, True, 2**31, -(2**31) - 1])
def test_what_is_no_int32_is_refused(frame_id: object) -> None:
    """Other types and larger numbers never reach the wire."""
    with pytest.raises(InvalidFrameId) as caught:
        checked_frame_ids("demo", [0, frame_id])
    expected = f"must be an integer within [-2147483648, 2147483647], got {frame_id!r}"
    assert str(caught.value) == f"frame_id of avatar 'demo' {expected}"


def test_chunks() -> None:
    """Chunks keep the order, and only the last is shorter."""
    assert list(chunked(list(range(5)), 2)) == [[0, 1], [2, 3], [4]]


def test_parse_frames() -> None:
    """Row i of each output belongs to the i-th id."""
    answer = DictAnswer(
        jpeg=np.array([[b"a"], [b"b"]], object), bounds=np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.int32)
    )
    expected = [Frame(9, b"a", (1, 2, 3, 4), 1.5), Frame(4, b"b", (5, 6, 7, 8), 1.5)]
    assert parse_frames("demo", [9, 4], answer, 1.5) == expected


def test_missing_output() -> None:
    """An answer without the picture says which output is missing."""
    with pytest.raises(InvalidAnswer, match=r"an output 'jpeg' of shape \(1, 1\), got none"):
        parse_frames("demo", [0], DictAnswer(), 1.0)


def test_output_of_another_shape() -> None:
    """An answer with fewer rows than ids is refused."""
    answer = DictAnswer(jpeg=np.array([[b"a"]], object))
    with pytest.raises(InvalidAnswer, match=r"of shape \(2, 1\), got shape \(1, 1\)"):
        parse_frames("demo", [0, 1], answer, 1.0)


def test_avatars_have_both_models_ready() -> None:
    """A model alone, or one whose frame lookup isn't ready, is no avatar."""
    models = ["zoe", "zoe_frames", "ann_frames", "ann", "bob", "jpeg_encode"]
    assert avatar_names(models) == ["ann", "zoe"]


def test_parse_metadata() -> None:
    """Facts are converted from the strings that Triton keeps."""
    expected = AvatarMetadata("demo", 150, 29.97, "hubert", "replicate", 16)
    assert parse_metadata("demo", frames_config(), {"max_batch_size": 16}) == expected


def test_missing_parameter() -> None:
    """A configuration without the facts says which were expected."""
    with pytest.raises(InvalidAnswer, match="the parameters frame_count, fps, audio_mode and edge_padding"):
        parse_metadata("demo", {}, {"max_batch_size": 16})


def test_parameter_that_is_no_number() -> None:
    """A frame count that is no number is refused with what was there."""
    with pytest.raises(InvalidAnswer, match="'frame_count': 'many'"):
        parse_metadata("demo", frames_config(frame_count="many"), {"max_batch_size": 16})


@pytest.mark.parametrize(
    "changes", [{"fps": "nan"}, {"fps": "0"}, {"frame_count": "0"}, {"frame_count": "9" * 5000}]
)
def test_parameter_that_no_clip_has(changes: dict[str, str]) -> None:
    """A clip has frames, and some a second; an answer that is long is not told at length."""
    with pytest.raises(InvalidAnswer) as caught:
        parse_metadata("demo", frames_config(**changes), {"max_batch_size": 8})
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("parameters", [[], {"fps": 25}, {"frame_count": {"string_value": []}}, None])
def test_parameters_of_another_shape(parameters: object) -> None:
    """What a server answers is JSON of any shape."""
    with pytest.raises(InvalidAnswer):
        parse_metadata("demo", {"parameters": parameters}, {"max_batch_size": 8})


@pytest.mark.parametrize("size", [[], "8", None, 2.5])
def test_batch_size_that_is_no_integer(size: object) -> None:
    """The size of a batch is an integer or refused."""
    with pytest.raises(InvalidAnswer, match="max_batch_size"):
        max_batch_size("demo", {"max_batch_size": size})


@pytest.mark.parametrize("exc", [KeyError("data"), ValueError("buffer size"), struct.error("unpack_from")])
def test_output_that_cannot_be_read(exc: Exception) -> None:
    """Whatever tritonclient trips over in a damaged answer, it is an invalid answer."""

    class Damaged:
        def as_numpy(self, name: str) -> Any:
            raise exc

    with pytest.raises(InvalidAnswer, match=r"one that cannot be read \(\w+\)"):
        parse_frames("demo", [7], Damaged(), 1.0)


def test_model_without_batching() -> None:
    """A model that doesn't batch is no avatar."""
    with pytest.raises(InvalidAnswer, match="a max_batch_size of at least 1, got 0"):
        max_batch_size("demo", {})
