"""pipecat_lipsync/held.py"""

from __future__ import annotations

import numpy as np
import pytest
from pipecat.frames.frames import Frame, TTSAudioRawFrame, TTSStoppedFrame, TTSTextFrame

from pipecat_lipsync.held import HeldSound
from pipecat_lipsync.sound import Sound

RATE = 16_000


def sound(first: int, count: int, **fields: object) -> Sound:
    """Return samples that count from ``first``."""
    like = TTSAudioRawFrame(b"", RATE, 1)
    for name, value in fields.items():
        setattr(like, name, value)
    return Sound(np.arange(first, first + count, dtype=np.int16).reshape(-1, 1), like)


def numbers(frames: list[Frame]) -> list[int]:
    """Return the samples of frames of sound."""
    audio = b"".join(frame.audio for frame in frames if isinstance(frame, TTSAudioRawFrame))
    return np.frombuffer(audio, np.int16).tolist()


def held(rate: int = RATE, epoch: int = 0, first_sample: int = 0) -> HeldSound:
    """Return sound that belongs to a session."""
    new = HeldSound(rate)
    new.begin(epoch, first_sample)
    return new


def test_every_sample_once_and_in_order() -> None:
    """However it is added and taken, sound comes out as it went in."""
    waiting, taken = held(), []
    rng = np.random.default_rng(1)
    for first in range(0, 20_000, 500):
        waiting.add_sound(sound(first, 500))
        taken += list(waiting.take(waiting.position + int(rng.integers(0, 900))))
    taken += list(waiting.take_all())
    assert numbers(taken) == list(range(20_000))
    assert (waiting.position, waiting.samples, bool(waiting)) == (20_000, 0, False)


def test_pieces_are_as_long_as_pictures_not_as_they_came() -> None:
    """Sound that came in several frames goes out in one, where it is of one kind."""
    waiting = held()
    for first in range(0, 640, 64):
        waiting.add_sound(sound(first, 64))
    assert [frame.num_frames for frame in waiting.take(640)] == [640]


@pytest.mark.parametrize(
    "fields", [{"context_id": "b"}, {"transport_destination": "b"}, {"interruptible": False}]
)
def test_sound_of_another_kind_is_a_frame_of_its_own(fields: dict[str, object]) -> None:
    """What differs in context, destination or interruptibility is not mixed."""
    waiting = held()
    waiting.add_sound(sound(0, 100))
    waiting.add_sound(sound(100, 100, **fields))
    first, second = waiting.take_all()
    assert (first.num_frames, second.num_frames) == (100, 100)
    name, value = next(iter(fields.items()))
    assert getattr(second, name) == value != getattr(first, name)


def test_a_frame_follows_the_sound_before_it() -> None:
    """A frame comes out with the last sample before it, and not sooner; without sound before it, at once."""
    waiting = held()
    first, second, third = TTSTextFrame("a", "word"), TTSTextFrame("b", "word"), TTSStoppedFrame()
    waiting.add_frame(first)
    assert list(waiting.take(0)) == [first]
    waiting.add_sound(sound(0, 640))
    waiting.add_frame(second)
    waiting.add_sound(sound(640, 10))
    waiting.add_frame(third)
    assert [type(frame) for frame in waiting.take(639)] == [TTSAudioRawFrame]
    assert list(waiting.take(640))[1:] == [second]
    assert list(waiting.take(650))[1:] == [third]


def test_a_picture_has_no_sound_of_the_next_utterance() -> None:
    """The last picture of an utterance ends with it, though it covers 40 ms."""
    waiting = held(first_sample=1_000)
    waiting.add_sound(sound(0, 1_000))
    waiting.end()
    waiting.add_sound(sound(1_000, 1_000))
    assert waiting.picture_end(1_000) == 1_640
    assert waiting.picture_end(1_640) == 2_000
    list(waiting.take(2_000))
    assert waiting.picture_end(2_000) == 2_640


def test_a_picture_whose_sound_is_gone_is_over() -> None:
    """A picture that comes after its sound was let go is not shown; half a sample more or less is not late."""
    waiting = held(rate=11_010)  # 440.4 samples a picture
    waiting.add_sound(sound(0, 2_000))
    list(waiting.take(waiting.picture_end(440)))
    assert waiting.position == 880
    assert waiting.is_over(440)
    assert not waiting.is_over(881)
    assert not waiting.is_over(879)


def test_a_session_begins_amid_speech() -> None:
    """The session's first sample is the one that is added next; those before have no pictures."""
    waiting = HeldSound(RATE)
    assert waiting.epoch is None
    waiting.add_sound(sound(0, 100))
    list(waiting.take(30))
    waiting.begin_after(0)
    waiting.add_sound(sound(100, 640))
    assert waiting.position == -70
    assert numbers(list(waiting.take(0))) == list(range(30, 100))
    assert numbers(list(waiting.take(waiting.picture_end(0)))) == list(range(100, 740))


def test_an_interruption_keeps_what_may_not_be_interrupted() -> None:
    """Everything is gone but sound and frames that say so."""
    waiting = held()
    stopped = TTSStoppedFrame()
    stopped.interruptible = False
    waiting.add_sound(sound(0, 100))
    waiting.add_sound(sound(100, 50, interruptible=False))
    waiting.add_frame(TTSTextFrame("a", "word"))
    waiting.add_frame(stopped)
    kept = waiting.uninterruptible()
    assert numbers(kept) == list(range(100, 150))
    assert kept[1:] == [stopped]
    assert not waiting


@pytest.mark.parametrize("rate", [8_000, 11_010, 16_000, 44_100])
def test_ten_minutes_do_not_drift(rate: int) -> None:
    """Through ten minutes of pictures, one in seven left out, each stands before its own sound, to the sample."""
    waiting, given, apart = held(rate), 0, 0
    for number in range(10 * 60 * 25):
        waiting.add_sound(sound(0, round((number + 1) * rate / 25) - round(number * rate / 25)))
        sample = round(number * rate / 25)
        if number % 7 == 3:
            continue
        given += sum(frame.num_frames for frame in waiting.take(sample))
        apart = max(apart, abs(sample - given))
        given += sum(frame.num_frames for frame in waiting.take(waiting.picture_end(sample)))
    given += sum(frame.num_frames for frame in waiting.take_all())
    assert apart <= (rate % 25 > 0)
    assert given == 10 * 60 * rate
