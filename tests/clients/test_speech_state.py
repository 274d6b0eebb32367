"""lipsync_client/speech_state.py"""

from __future__ import annotations

from typing import Any

import pytest

from bridge.live.wire import Flags, Packet, encode_event
from lipsync_client import Ended, Fault, Interrupted, InvalidSetting, SpeechPicture, SpeechRefused, Started
from lipsync_client.settings import Endpoint
from lipsync_client.speech_settings import SpeechSettings
from lipsync_client.speech_state import SpeechState

JPEG = b"\xff\xd8\xff\xd9"
QUARTER = memoryview(bytes(8000))
"""A quarter of a second at 16 kHz, s16le."""


def state(held_ms: float = 4000, **settings: Any) -> SpeechState:
    """Return the state of a session that has begun."""
    chosen = SpeechSettings(endpoint=Endpoint("http", "localhost", 8086), avatar="demo", **settings)
    rate = chosen.sample_rate
    started = Started("5e", "demo", 0, 25.0, 555, 320, 320, 4, rate, rate / 25, 452.5, 2000.0, held_ms)
    return SpeechState(chosen, started)


def picture(epoch: int, sample: int) -> bytes:
    """Return a picture as it comes."""
    return Packet(Flags.SPEECH, epoch, 0, 0, sample, (0, 0, 9, 9), 4, JPEG).encode()


def test_pieces() -> None:
    """Sound is cut into quarters of a second, of any buffer, and none of it is lost."""
    pcm = bytes(range(256)) * 100
    for buffer in (pcm, bytearray(pcm), memoryview(pcm).cast("h")):
        pieces = list(state().pieces(buffer))
        assert [len(piece) for piece in pieces] == [8000, 8000, 8000, 1600]
        assert b"".join(pieces) == pcm
    assert not list(state().pieces(b""))


@pytest.mark.parametrize(("sample_format", "size"), [("s16le", 2), ("f32le", 4)])
def test_whole_samples(sample_format: str, size: int) -> None:
    """Half a sample is refused before anything is sent."""
    with pytest.raises(InvalidSetting) as caught:
        state(format=sample_format).pieces(bytes(4 * size + 1))
    assert str(caught.value) == f"the length of pcm must be a multiple of {size} bytes, got {4 * size + 1}"


def test_room() -> None:
    """Half of what the bridge can hold may wait; pictures, an end and an interruption make room."""
    session = state(held_ms=1000)
    for _ in range(2):
        assert session.has_room(QUARTER)
        session.sent(QUARTER)
    assert not session.has_room(QUARTER)
    session.receive(picture(0, 2720))
    assert not session.has_room(QUARTER)
    session.receive(picture(0, 3360))  # up to sample 4000 all is shown
    assert session.has_room(QUARTER)
    session.sent(QUARTER)
    assert not session.has_room(QUARTER)
    session.receive(encode_event("ended", epoch=0, samples=8000, pictures=1, skipped=12))
    assert session.has_room(QUARTER)
    session.sent(QUARTER)
    session.interrupt()
    assert session.has_room(QUARTER)


def test_what_is_over_is_dropped() -> None:
    """From the moment that it interrupts, a client sees nothing of the old epoch."""
    session = state()
    assert isinstance(session.receive(picture(0, 0)), SpeechPicture)
    session.interrupt()
    assert session.receive(picture(0, 640)) is None
    assert session.receive(encode_event("ended", epoch=0, samples=1, pictures=1, skipped=0)) is None
    assert isinstance(session.receive(encode_event("interrupted", epoch=1, sample=5, number=7)), Interrupted)
    assert isinstance(session.receive(picture(1, 640)), SpeechPicture)


def test_two_interruptions_at_once() -> None:
    """What follows the first of two interruptions is over, too."""
    session = state()
    session.interrupt()
    session.interrupt()
    assert session.receive(encode_event("interrupted", epoch=1, sample=5, number=7)) is None
    assert session.receive(picture(1, 640)) is None
    assert session.is_interrupting
    assert session.receive(encode_event("interrupted", epoch=2, sample=5, number=7)) is not None
    assert not session.is_interrupting


def test_what_is_due() -> None:
    """With a clock something always is; without one, ends and interruptions have to be answered."""
    assert state().is_due
    session = state(pacing="none")
    assert not session.is_due
    session.end()
    session.end()
    session.receive(encode_event("ended", epoch=0, samples=1, pictures=1, skipped=0))
    assert session.is_due
    assert isinstance(
        session.receive(encode_event("ended", epoch=0, samples=1, pictures=1, skipped=0)), Ended
    )
    assert not session.is_due
    session.end()
    session.interrupt()
    session.receive(encode_event("interrupted", epoch=1, sample=None, number=7))
    assert not session.is_due


def test_pictures_before_their_time_allow_a_pause() -> None:
    """The bridge may be quiet for as long as its pictures are ahead."""
    assert state(answer_timeout_s=3).quiet_s == 5


def test_faults() -> None:
    """A fault that is not fatal is told; a fatal one is raised, and remembered."""
    session = state()
    harmless = encode_event("error", code="timeout", error="expected x, got y", fatal=False, session="5e")
    assert session.receive(harmless) == Fault("timeout", "expected x, got y", False)
    with pytest.raises(SpeechRefused) as caught:
        session.receive(harmless.replace("false", "true"))
    assert session.fault is caught.value
