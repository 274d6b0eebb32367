"""bridge/protocol.py"""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BadRequest, InvalidFrameId, MessageTooLarge, UnknownModel
from bridge.protocol import (
    FrameRequest,
    InferenceRequest,
    ListModelsRequest,
    MetadataRequest,
    VideoFrameRequest,
    check_frame_id,
    check_model_name,
    check_video_type,
    encode_error,
    encode_frame_request,
    encode_json,
    parse,
    to_base64,
)

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)
FRAME_IDS = st.integers(0, 2**32 - 1)


def test_binary_layout():
    """The bytes of a binary request are those of the documented layout."""
    message = b"\x04demo" + b"\x2a\x01\x00\x00"
    assert parse(message, 4096) == FrameRequest("demo", 298)
    assert encode_frame_request("demo", 298) == message


@given(NAMES, FRAME_IDS)
def test_binary_round_trip(model_name, frame_id):
    """Every name and every unsigned id come back as they were written."""
    assert parse(encode_frame_request(model_name, frame_id), 4096) == FrameRequest(model_name, frame_id)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_a_bad_request(message):
    """Binary garbage raises BadRequest and nothing else."""
    with contextlib.suppress(BadRequest):
        assert isinstance(parse(message, 4096), FrameRequest)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)
KINDS = st.sampled_from(["inference", "list_models", "get_metadata", "get_video_frame"]) | JSON_VALUES
OBJECTS = st.fixed_dictionaries(
    {"type": KINDS}, optional={"model_name": JSON_VALUES, "frame_id": JSON_VALUES, "video_type": JSON_VALUES}
)


@given(st.text() | JSON_VALUES.map(json.dumps) | OBJECTS.map(json.dumps))
def test_any_text_is_a_request_or_a_bad_request(message):
    """Text of any kind, JSON or not, raises BadRequest or MessageTooLarge and nothing else."""
    try:
        request = parse(message, 4096)
    except (BadRequest, MessageTooLarge):
        return
    assert json.loads(encode_error(UnknownModel("x"), request, "id-1"))["code"] == "unknown_model"


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (b"", "model_name_len: expected 1 to 255, got an empty message"),
        (b"\x00\x01\x00\x00\x00", "model_name_len: expected 1 to 255, got 0"),
        (b"\x04demo\x01\x00", "binary request: expected 9 bytes for its model_name_len, got 7 bytes"),
        (b"\x04demo" + bytes(5), "binary request: expected 9 bytes for its model_name_len, got 10 bytes"),
        (b"\x02a\xff" + bytes(4), "model_name: expected UTF-8, got byte 0xff at 1"),
        ("", "text request: expected a JSON object, got ''"),
        ("frame", "text request: expected a JSON object, got 'frame'"),
        ("[1]", "text request: expected a JSON object, got [1]"),
        (
            "{}",
            "type: expected one of inference, list_models, get_metadata, get_video_frame, got None",
        ),
        (
            '{"type": "inference"}',
            "model_name: expected a string of 1 to 255 bytes without control characters, got None",
        ),
        (
            '{"type": "get_metadata", "model_name": ""}',
            "model_name: expected a string of 1 to 255 bytes without control characters, got ''",
        ),
        (
            '{"type": "get_metadata", "model_name": "\\ud800"}',
            "model_name: expected a string of 1 to 255 bytes without control characters, got '\\ud800'",
        ),
        (
            '{"type": "inference", "model_name": "demo", "frame_id": "1"}',
            "frame_id: expected an integer, got '1'",
        ),
        (
            '{"type": "inference", "model_name": "demo", "frame_id": true}',
            "frame_id: expected an integer, got True",
        ),
        (
            '{"type": "inference", "model_name": "demo", "frame_id": 1.5}',
            "frame_id: expected an integer, got 1.5",
        ),
        (
            '{"type": "get_video_frame", "model_name": "demo", "frame_id": 1, "video_type": "x"}',
            "video_type: expected one of full_body, rois_320, got 'x'",
        ),
    ],
)
def test_bad_requests(message, sentence):
    """Each malformed message is refused in a sentence that names the field, expected and got."""
    with pytest.raises(BadRequest) as caught:
        parse(message, 4096)
    assert str(caught.value) == sentence


def test_deeply_nested_text():
    """Thousands of opening brackets are a bad request, not a crash of the parser."""
    with pytest.raises(BadRequest, match="expected a JSON object"):
        parse("[" * 200_000, 1 << 20)


@pytest.mark.parametrize("message", [bytes(65), "é" * 33])
def test_too_large(message):
    """A message is measured in bytes, whatever its form."""
    with pytest.raises(MessageTooLarge, match=r"^message: expected at most 64 bytes, got 6[56]$"):
        parse(message, 64)


@pytest.mark.parametrize(
    ("fields", "request_"),
    [
        ({"type": "inference", "model_name": "a", "frame_id": 3}, InferenceRequest("a", 3)),
        ({"type": "list_models", "extra": 1}, ListModelsRequest()),
        ({"type": "get_metadata", "model_name": "ä"}, MetadataRequest("ä")),
        (
            {"type": "get_video_frame", "model_name": "a", "frame_id": 3, "video_type": "full_body_video"},
            VideoFrameRequest("a", 3, "full_body"),
        ),
        (
            {"type": "get_video_frame", "model_name": "a", "frame_id": 3, "video_type": "rois_320"},
            VideoFrameRequest("a", 3, "rois_320"),
        ),
    ],
)
def test_text_requests(fields, request_):
    """Each JSON request is read, fields that it does not know aside."""
    assert parse(json.dumps(fields), 4096) == request_


@pytest.mark.parametrize("frame_id", [0, 2**31 - 1])
def test_frame_ids_of_int32(frame_id):
    """Ids that INT32 can hold pass."""
    assert check_frame_id(frame_id) == frame_id


@pytest.mark.parametrize("frame_id", [-1, 2**31, 2**32 - 1])
def test_frame_ids_beyond_int32(frame_id):
    """Ids that INT32 cannot hold, and negative ones, are invalid."""
    with pytest.raises(InvalidFrameId) as caught:
        check_frame_id(frame_id)
    assert str(caught.value) == f"frame_id {frame_id} is outside [0, 2147483647]"


@pytest.mark.parametrize(("model_name", "frame_id"), [("", 0), ("x" * 256, 0), ("a", -1), ("a", 2**32)])
def test_what_a_binary_request_cannot_say(model_name, frame_id):
    """Names and ids that do not fit the layout are refused when written."""
    with pytest.raises(ValueError, match="expected"):
        encode_frame_request(model_name, frame_id)


def test_answers():
    """An answer has its type, success, and the fields it was given; base64 is one line."""
    assert json.loads(encode_json("list_models", models=["a"], count=1)) == {
        "type": "list_models",
        "success": True,
        "models": ["a"],
        "count": 1,
    }
    assert to_base64(memoryview(b"\xff\xd8\xff")) == "/9j/"


def test_errors():
    """An error has all seven fields, with null for what is not known."""
    assert json.loads(encode_error(UnknownModel("a"), FrameRequest("a", 3), "id-1")) == {
        "type": "error",
        "success": False,
        "code": "unknown_model",
        "error": "expected the name of a loaded model, got 'a'",
        "model_name": "a",
        "frame_id": 3,
        "request_id": "id-1",
    }
    assert json.loads(encode_error(BadRequest("a", "b", "c"), None, "id-1")) == {
        "type": "error",
        "success": False,
        "code": "bad_request",
        "error": "a: expected b, got c",
        "model_name": None,
        "frame_id": None,
        "request_id": "id-1",
    }


def test_own_request_ids():
    """A JSON request may bring its id; one that could not be written to a log is refused."""
    assert parse('{"type": "list_models", "request_id": "a-1"}', 4096) == ListModelsRequest("a-1")
    for bad in ('"a b"', '""', "1", '"' + "x" * 65 + '"', '"a\\n"'):
        with pytest.raises(BadRequest, match=r"^request_id: expected a string of "):
            parse(f'{{"type": "list_models", "request_id": {bad}}}', 4096)


@pytest.mark.parametrize("name", ["", "x" * 256, "é" * 128, None, "\ud800", "demo\0x", "a\n", "\x7f"])
def test_model_names(name):
    """A model's name has 1 to 255 bytes of UTF-8 without control characters, whichever way it comes."""
    assert check_model_name("é" * 127) == "é" * 127
    with pytest.raises(BadRequest, match=r"^model_name: expected a string of 1 to 255 bytes"):
        check_model_name(name)


def test_video_types():
    """A video type has two spellings; anything else is refused."""
    assert check_video_type("full_body_video") == check_video_type("full_body") == "full_body"
    with pytest.raises(BadRequest, match="video_type: expected one of full_body, rois_320, got 'x'"):
        check_video_type("x")


def test_a_name_that_triton_would_cut():
    """A name with a NUL, which Triton reads as the name before it, is none in a binary request either."""
    with pytest.raises(BadRequest, match="without control characters"):
        parse(encode_frame_request("demo\0x", 1), 4096)
