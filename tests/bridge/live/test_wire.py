"""bridge/live/wire.py"""

import contextlib
import json
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BadRequest
from bridge.live.errors import CannotHear
from bridge.live.wire import (
    HEADER_BYTES,
    End,
    Flags,
    Interrupt,
    Packet,
    Ping,
    Start,
    encode_error,
    encode_event,
    parse_control,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "live-speech.md"


def test_a_picture_is_as_the_document_says():
    """Each field lies at its bytes, little endian, and the JPEG behind byte 48."""
    packet = Packet(Flags.SPEECH | Flags.LAST, 3, 70_000, 554, 2**40, (-5, 6, 700, 800), 4, b"\xff\xd8jpeg")
    data = packet.encode()
    assert data[0:2] == b"\1\1"
    assert struct.unpack_from("<H", data, 2) == (5,)
    assert struct.unpack_from("<III", data, 4) == (3, 70_000, 554)
    assert struct.unpack_from("<q", data, 16) == (2**40,)
    assert struct.unpack_from("<4i", data, 24) == (-5, 6, 700, 800)
    assert struct.unpack_from("<i", data, 40) == (4,)
    assert data[44:48] == bytes(4)
    assert data[48:] == b"\xff\xd8jpeg"
    assert HEADER_BYTES == 48


def test_the_document_has_every_field_and_event():
    """What the code reads and writes stands in the document's tables."""
    text = DOCUMENT.read_text()
    for word in (
        "start",
        "end",
        "interrupt",
        "ping",
        "started",
        "speaking",
        "idle",
        "ended",
        "pong",
        "error",
    ):
        assert re.search(rf"^\| `{word}`", text, re.MULTILINE), word
    for field in ("avatar", "sample_rate", "format", "pacing", "low_latency"):
        assert f"`{field}`" in text


@pytest.mark.parametrize(
    ("text", "control"),
    [
        ('{"type": "start", "avatar": "demo"}', Start("demo")),
        (
            '{"type": "start", "avatar": "a", "sample_rate": 48000, "format": "f32le", "pacing": "none", '
            '"low_latency": true, "unknown": 1}',
            Start("a", 48_000, "f32le", "none", True),
        ),
        ('{"type": "end"}', End()),
        ('{"type": "interrupt"}', Interrupt()),
        ('{"type": "ping", "id": "x"}', Ping("x")),
        ('{"type": "ping"}', Ping(None)),
    ],
)
def test_control_messages(text, control):
    """Each message is read; what is left out has its default, what is unknown is passed over."""
    assert parse_control(text) == control


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nonsense", "message: expected a JSON object with a type, got text that is not JSON"),
        ("[]", "message: expected a JSON object with a type, got a list"),
        ("[" * 100_000, "message: expected a JSON object with a type, got text that is not JSON"),
        ('{"type": "stop"}', "type: expected one of start, end, interrupt, ping, got 'stop'"),
        ("{}", "type: expected one of start, end, interrupt, ping, got None"),
        ('{"type": "start"}', "avatar: expected the name of an avatar, got nothing"),
        ('{"type": "start", "avatar": ""}', "avatar: expected a name of 1 to 64 characters, got ''"),
        ('{"type": "start", "avatar": 7}', "avatar: expected the name of an avatar, got 7"),
        (
            '{"type": "start", "avatar": "a", "sample_rate": 4000}',
            "sample_rate: expected an integer from 8000 to 48000 samples a second, got 4000",
        ),
        (
            '{"type": "start", "avatar": "a", "sample_rate": true}',
            "sample_rate: expected an integer from 8000 to 48000 samples a second, got True",
        ),
        (
            '{"type": "start", "avatar": "a", "sample_rate": 44100.5}',
            "sample_rate: expected an integer from 8000 to 48000 samples a second, got 44100.5",
        ),
        (
            '{"type": "start", "avatar": "a", "format": "mp3"}',
            "format: expected one of s16le, f32le, got 'mp3'",
        ),
        (
            '{"type": "start", "avatar": "a", "pacing": "fast"}',
            "pacing: expected one of real_time, none, got 'fast'",
        ),
        (
            '{"type": "start", "avatar": "a", "low_latency": 1}',
            "low_latency: expected true or false, got 1",
        ),
        ('{"type": "ping", "id": []}', "id: expected a string or a number, got []"),
    ],
)
def test_bad_messages(text, sentence):
    """The error says which field, what was expected and what came."""
    with pytest.raises(BadRequest) as error:
        parse_control(text)
    assert str(error.value) == sentence


@given(
    st.text()
    | st.from_type(dict).map(repr)
    | st.builds(json.dumps, st.dictionaries(st.text(), st.integers()))
)
def test_any_text_is_read_or_refused(text):
    """No text does anything but become a message or a BadRequest."""
    with contextlib.suppress(BadRequest):
        parse_control(text)


def test_events_are_json():
    """An event is its type and its fields; an error says whether the session ends."""
    assert json.loads(encode_event("idle", epoch=1)) == {"type": "idle", "epoch": 1}
    assert json.loads(encode_error(CannotHear("anna"), fatal=True, session="s")) == {
        "type": "error",
        "code": "cannot_hear",
        "error": "expected an avatar that can be spoken to, got 'anna', imported without an audio encoder",
        "fatal": True,
        "session": "s",
    }
