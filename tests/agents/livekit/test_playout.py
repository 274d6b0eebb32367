"""livekit/plugins/lipsync/playout.py"""

from __future__ import annotations

import pytest
from livekit.plugins.lipsync.playout import Playout, Segment, Slot

from lipsync_client import PictureFlags, SpeechPicture

RATE = 16_000
SLOT = 640


def picture(number: int, sample: int | None = None) -> SpeechPicture:
    """Return a picture with a name of its own."""
    flags = PictureFlags.SILENT if sample is None else PictureFlags.SPEECH
    return SpeechPicture(flags, 0, number, number, sample, (0, 0, 9, 9), 4, b"\xff\xd8")


def pcm(samples: int, first: int = 0) -> bytes:
    """Return samples that differ from one another."""
    return b"".join((first + i).to_bytes(2, "little") for i in range(samples))


class Clock:
    """Asks a playout as time goes by."""

    def __init__(self, patience_s: float = 2.0) -> None:
        self.now_s = 100.0
        self.playout = Playout(RATE, 0.4525, patience_s, self.now_s)
        self.playout.is_connected = True

    def slot(self) -> Slot:
        """Return the next slot, at the first moment that it can be had."""
        while isinstance(slot := self.playout.next(self.now_s), float):
            assert slot > self.now_s
            self.now_s = slot
        return slot

    def say(self, samples: int, *, ends: bool = True) -> Segment:
        """Push an utterance."""
        self.playout.push(pcm(samples), self.now_s)
        if ends:
            self.playout.end(self.now_s)
        return self.playout.segments[-1]


def paint(segment: Segment, slots: range) -> None:
    """Have the pictures of some slots come."""
    for slot in slots:
        segment.put(slot * SLOT, picture(slot, slot * SLOT))


@pytest.mark.parametrize("samples", [1, 639, 640, 641, 6400, 7000])
def test_sound_goes_out_as_it_came(samples: int) -> None:
    """To the sample, each 40 ms with its picture, and the end after the last of it."""
    clock = Clock()
    segment = clock.say(samples)
    count = -(-samples // SLOT)
    paint(segment, range(count))
    slots = [clock.slot() for _ in range(count)]
    assert b"".join(slot.pcm for slot in slots) == pcm(samples)
    assert [slot.picture.number for slot in slots if slot.picture] == list(range(count))
    assert [slot.ended for slot in slots] == [None] * (count - 1) + [segment]
    assert clock.playout.missed == 0
    assert clock.slot() == Slot()


def test_silence_is_on_the_clock() -> None:
    """Silent pictures go out 25 a second; where none came, the last one stays."""
    clock = Clock()
    clock.playout.put_silent(picture(1))
    times = []
    for _ in range(4):
        clock.slot()
        times.append(round(clock.now_s - 100, 3))
    assert times == [0.0, 0.04, 0.08, 0.12]


def test_silent_pictures_do_not_pile_up() -> None:
    """Of more than two that wait, one is passed over a slot: the order stays."""
    clock = Clock()
    for number in range(6):
        clock.playout.put_silent(picture(number))
    assert [slot.picture.number for slot in (clock.slot() for _ in range(4)) if slot.picture] == [1, 3, 4, 5]


def test_speech_begins_with_pictures_of_three_slots() -> None:
    """Until then silence goes on; from then on all that is there can be had at once."""
    clock = Clock()
    segment = clock.say(6400)
    paint(segment, range(2))
    assert clock.slot().pcm == b""
    paint(segment, range(2, 5))
    first = clock.slot()
    began_s = clock.now_s
    assert first.picture is not None
    assert first.picture.number == 0
    assert [clock.slot().pcm != b"" for _ in range(4)] == [True] * 4
    assert clock.now_s == began_s


def test_pictures_that_the_bridge_left_out_hold_nothing_up() -> None:
    """A later picture shows that an earlier one never comes: speech begins and goes on with what there is."""
    clock = Clock()
    segment = clock.say(6400)
    for slot in (0, 2, 4):
        segment.put(slot * SLOT, picture(slot, slot * SLOT))
    slots = [clock.slot() for _ in range(5)]
    assert [slot.picture.number if slot.picture else None for slot in slots] == [0, None, 2, None, 4]
    assert clock.playout.missed == 2


def test_sound_does_not_wait_for_a_late_picture() -> None:
    """A slot goes out just before its time is over; its picture, when it comes, is shown late rather than never."""
    clock = Clock()
    segment = clock.say(6400)
    paint(segment, range(3))
    for _ in range(3):
        clock.slot()
    began_s = clock.now_s
    late = clock.slot()
    assert (late.picture, late.pcm) == (None, pcm(SLOT, 3 * SLOT))
    assert clock.now_s == pytest.approx(began_s + 3 * 0.04 - 0.015)
    segment.put(3 * SLOT, picture(3, 3 * SLOT))
    after = clock.slot()
    assert after.picture is not None
    assert (after.picture.number, after.pcm) == (3, pcm(SLOT, 4 * SLOT))
    assert clock.playout.missed == 2


def test_a_picture_that_is_much_too_late_is_not_shown() -> None:
    """A quarter of a second behind its sound is a wrong picture."""
    clock = Clock(patience_s=0)
    segment = clock.say(9 * SLOT)
    for _ in range(7):
        clock.slot()
    segment.put(SLOT, picture(1, SLOT))
    assert clock.slot().picture is None


def test_patience_has_an_end() -> None:
    """Two seconds after there was sound enough for a picture, speech goes on without."""
    clock = Clock()
    clock.say(8000)
    slots = [clock.slot() for _ in range(51)]
    assert [slot.pcm != b"" for slot in slots] == [False] * 50 + [True]


def test_without_a_bridge_speech_goes_on() -> None:
    """Nobody waits for pictures that nobody makes."""
    clock = Clock()
    clock.playout.is_connected = False
    clock.say(6400)
    slots = [clock.slot() for _ in range(10)]
    assert b"".join(slot.pcm for slot in slots) == pcm(6400)
    assert clock.now_s == 100.0


def test_missing_sound_is_silence() -> None:
    """Where sound is missing in mid-utterance, silent pictures go on, and the rest follows whole."""
    clock = Clock()
    segment = clock.say(SLOT + 100, ends=False)
    paint(segment, range(4))
    assert clock.slot().pcm == pcm(SLOT)
    assert [clock.slot().pcm for _ in range(3)] == [b""] * 3
    clock.playout.push(pcm(SLOT, SLOT + 100), clock.now_s)
    clock.playout.end(clock.now_s)
    assert b"".join(clock.slot().pcm for _ in range(2)) == pcm(SLOT + 100, SLOT)


def test_an_end_that_comes_late_has_a_slot_of_its_own() -> None:
    """When all was said already, the end alone goes out, at once."""
    clock = Clock()
    segment = clock.say(SLOT, ends=False)
    paint(segment, range(3))
    clock.slot()
    clock.playout.end(clock.now_s)
    assert clock.slot() == Slot(ended=segment)


def test_an_end_of_nothing_is_none() -> None:
    """Where nothing was said, nothing ends: an interruption is followed by such an end."""
    clock = Clock()
    assert clock.playout.end(clock.now_s) is None
    clock.say(100)
    assert clock.playout.end(clock.now_s) is None
    clock.playout.push(b"", clock.now_s)
    assert len(clock.playout.segments) == 1


def test_a_clear_forgets_everything() -> None:
    """After it comes silence, and pictures of what was said before are dropped."""
    clock = Clock()
    segment = clock.say(6400)
    paint(segment, range(10))
    clock.slot()
    clock.playout.clear()
    paint(segment, range(1, 3))
    assert segment.is_over
    assert clock.slot() == Slot()
    clock.say(SLOT)
    assert [clock.slot().pcm for _ in range(3)] == [b""] * 3


def test_utterances_in_a_row() -> None:
    """The second begins on the next slot after the first."""
    clock = Clock()
    first, second = clock.say(1000), clock.say(SLOT)
    paint(first, range(2))
    paint(second, range(1))
    slots = [clock.slot() for _ in range(3)]
    assert [slot.ended for slot in slots] == [None, first, second]
    assert [len(slot.pcm) for slot in slots] == [2 * SLOT, 720, 2 * SLOT]


@pytest.mark.parametrize(
    ("slots", "played", "first"), [(20, 0, 0), (20, 1, 11), (20, 15, 20), (5, 2, 5)], ids=str
)
def test_a_new_session_is_sent_what_it_can_paint_in_time(slots: int, played: int, first: int) -> None:
    """Of what is being said that is from ten slots on, if there are so many; of what is not, all."""
    clock = Clock()
    segment, later = clock.say(slots * SLOT), clock.say(SLOT)
    paint(segment, range(slots))
    for one in (segment, later):
        one.sent, one.is_end_sent = one.samples, True
    for _ in range(played):
        clock.slot()
    clock.playout.send_anew()
    assert (segment.sent, segment.is_end_sent) == (first * SLOT, False)
    assert segment.unsent(99_999) == pcm((slots - first) * SLOT, first * SLOT)
    assert later.unsent(99_999) == pcm(SLOT)
    if played:
        assert clock.slot().picture is None


def test_a_clock_that_was_held_up_begins_anew() -> None:
    """Nobody wants the slots of a pause one after another."""
    clock = Clock()
    clock.slot()
    clock.now_s += 10
    clock.slot()
    before_s = clock.now_s
    clock.slot()
    assert clock.now_s == pytest.approx(before_s + 0.04)
