"""The protocol: what the bridge writes is what the client reads, and the other way round."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from bridge.live import wire as bridge_wire
from lipsync_client import (
    Ended,
    Fault,
    Idle,
    Interrupted,
    InvalidAnswer,
    PictureFlags,
    Speaking,
    SpeechPicture,
    Started,
)
from lipsync_client.settings import Endpoint
from lipsync_client.speech_settings import SpeechSettings
from lipsync_client.speech_state import start_message
from lipsync_client.speech_wire import (
    EVENTS,
    FORMATS,
    FPS,
    PACINGS,
    SUBPROTOCOL,
    encode_control,
    error_sentence,
    parse_event,
    parse_picture,
)
from speech import contract, streaming

JPEG = b"\xff\xd8 and so on \xff\xd9"
DOCUMENT = Path(__file__).parents[2] / "docs" / "live-speech.md"


def packet(**changes: object) -> bytes:
    """Return a picture as the bridge writes it."""
    facts = {
        "flags": bridge_wire.Flags.SPEECH | bridge_wire.Flags.LAST,
        "epoch": 3,
        "number": 4_000_000_000,
        "frame_id": 554,
        "sample": 5_000_000_000,
        "bounds": (-10, 20, 330, 340),
        "border": 4,
        "jpeg": JPEG,
    }
    return bridge_wire.Packet(**{**facts, **changes}).encode()  # type: ignore[arg-type]


def test_constants_are_the_bridges() -> None:
    """Name, formats, pacings and picture rate are those of the bridge."""
    assert (SUBPROTOCOL, PACINGS, FPS) == (bridge_wire.SUBPROTOCOL, bridge_wire.PACINGS, contract.FPS)
    assert {name: dtype.itemsize for name, dtype in streaming.FORMATS.items()} == FORMATS
    assert {flag.name: flag.value for flag in PictureFlags} == {
        flag.name: flag.value for flag in bridge_wire.Flags
    }


def test_picture() -> None:
    """A picture has the bridge's facts, large and negative ones, too."""
    picture = parse_picture("demo", packet())
    assert picture == SpeechPicture(
        PictureFlags.SPEECH | PictureFlags.LAST,
        3,
        4_000_000_000,
        554,
        5_000_000_000,
        (-10, 20, 330, 340),
        4,
        JPEG,
    )
    assert (picture.is_speech, picture.is_first, picture.is_last, picture.is_silent) == (
        True,
        False,
        True,
        False,
    )


def test_silent_picture() -> None:
    """A silent picture has no sample."""
    picture = parse_picture("demo", packet(flags=bridge_wire.Flags.SILENT, sample=bridge_wire.NO_SAMPLE))
    assert picture is not None
    assert (picture.sample, picture.is_silent, picture.is_speech) == (None, True, False)


def test_other_kinds_are_left_out() -> None:
    """A binary message of a kind to come is no error."""
    assert parse_picture("demo", b"\x01\x02" + packet()[2:]) is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a header of 48 bytes, got 0 bytes"),
        (packet()[:47], "a header of 48 bytes, got 47 bytes"),
        (b"\x02" + packet()[1:], "pictures of version 1, got version 2"),
        (packet(jpeg=b"GIF89a"), "pictures with a JPEG, got b'GIF89a'"),
    ],
)
def test_pictures_that_are_none(content: bytes, sentence: str) -> None:
    """What is no picture is refused with what came instead."""
    with pytest.raises(InvalidAnswer) as caught:
        parse_picture("demo", content)
    assert str(caught.value).endswith(sentence)


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("started", Started("5e", "demo", 0, 25.0, 555, 320, 320, 4, 16000, 640.0, 452.5, 2000, 60000)),
        ("speaking", Speaking(0, 8, 0)),
        ("idle", Idle(0, 9, "starved")),
        ("ended", Ended(1, 180480, 282, 0)),
        ("interrupted", Interrupted(1, None, 106)),
        ("error", Fault("timeout", "expected an answer, got none", False)),
    ],
)
def test_events(kind: str, event: object) -> None:
    """Each event is read from what the bridge writes, fields that are to come aside."""
    text = bridge_wire.encode_event(kind, **vars(event), something_new=1)
    assert parse_event("demo", text) == event
    assert EVENTS[kind] is type(event)


def test_events_are_those_of_the_document() -> None:
    """The protocol's document has each event with all fields that are read here."""
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = {row.split("|")[1].strip(" `"): row for row in text.splitlines() if row.startswith("| `")}
    for kind, event in EVENTS.items():
        for field in fields(event):
            assert f"`{field.name}`" in rows[kind], (kind, field.name)


@pytest.mark.parametrize("text", ['{"type": "weather", "epoch": 1}', bridge_wire.encode_event("pong", id=1)])
def test_other_events_are_left_out(text: str) -> None:
    """An event that is to come, or of no use, is no error."""
    assert parse_event("demo", text) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("picture", "must answer events as JSON, got text that is not JSON"),
        ("[" * 100_000, "must answer events as JSON, got text that is not JSON"),
        ("[1]", "must answer events with a type, got '[1]'"),
        ('{"type": 1}', "must answer events with a type, got '{\"type\": 1}'"),
        ('{"type": "speaking", "epoch": 0, "number": 1}', "'speaking' with sample of type int, got None"),
        (
            '{"type": "speaking", "epoch": true, "number": 1, "sample": 1}',
            "'speaking' with epoch of type int, got True",
        ),
    ],
)
def test_events_that_are_none(text: str, sentence: str) -> None:
    """What is no event is refused with what came instead."""
    with pytest.raises(InvalidAnswer) as caught:
        parse_event("demo", text)
    assert str(caught.value).endswith(sentence)


def test_control_messages_are_understood() -> None:
    """The bridge reads each message that the client writes."""
    settings = SpeechSettings(
        endpoint=Endpoint("http", "localhost", 8086),
        avatar="demo",
        sample_rate=24_000,
        format="f32le",
        pacing="none",
        low_latency=True,
    )
    assert bridge_wire.parse_control(start_message(settings)) == bridge_wire.Start(
        "demo", 24_000, "f32le", "none", True
    )
    for kind, control in (
        ("end", bridge_wire.End()),
        ("interrupt", bridge_wire.Interrupt()),
        ("ping", bridge_wire.Ping()),
    ):
        assert bridge_wire.parse_control(encode_control(kind)) == control


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"code": "x"}'])
def test_error_sentence(body: bytes) -> None:
    """The bridge's sentence is told where there is one, otherwise the status."""
    assert error_sentence(json.dumps({"error": "no such frame"}).encode(), "Not Found") == "no such frame"
    assert error_sentence(body, "Not Found") == "Not Found"
