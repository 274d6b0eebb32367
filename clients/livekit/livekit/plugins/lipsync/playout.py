"""What is shown and heard next: sound and pictures in, slots of 40 ms out. No clock here, no socket, no pixels.

Sound is what counts: it goes out as it came in, to the sample, each 40 ms of it with its picture. Where that is not in
time, the newest that is there is shown, or the one before stays. Between utterances silent pictures go on, on a clock
that the caller brings along.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from lipsync_client import SpeechPicture
from lipsync_client.speech_wire import FPS

__all__ = ["SLOT_S", "Playout", "Segment", "Slot"]

SLOT_S = 1 / FPS
SAMPLE_BYTES = 2
"""Sound is mono, ``s16le``."""

START_PICTURES = 3
"""An utterance begins once there are pictures of so many slots: about what the framework's queues of 100 ms take."""

LATE_S = 0.015
"""How long before its time is over a slot is given out without its picture: sound must not wait for lips."""

SHOWN_LATE_SLOTS = 5
"""A picture so late is still shown if its own slot had none: lips a little late are better than lips that stand still.
The bridge leaves out what is later than this."""

RESUMED_SLOTS = 10
"""How far ahead of what is played a new session begins in mid-utterance: its first picture takes a while."""

SLACK_S = 0.2
"""A clock that is further behind begins anew: whoever asks was held up, and does not want to catch up."""

SILENT_MOST = 12
SILENT_KEPT = 2
"""Silent pictures beyond these are passed over one a slot: the bridge's clock, or a pause, has them pile up."""


class Segment:
    """One utterance: sound comes in at its end, and goes out from its start with the pictures that belong to it.

    Attributes:
        played: Samples that went out.
        sent: Samples that the bridge has been sent.
        is_ended: Whether no more sound comes.
        is_end_sent: Whether the bridge knows that.
        is_over: Whether it was played or cleared: nobody wants anything of it any more.
        heard_s: When there was sound enough for a picture; None before.
    """

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._pictures: deque[tuple[int, SpeechPicture]] = deque()
        self.played = 0
        self.sent = 0
        self.is_ended = False
        self.is_end_sent = False
        self.is_over = False
        self.heard_s: float | None = None

    @property
    def samples(self) -> int:
        """Samples that came in."""
        return self.played + self.waiting

    @property
    def waiting(self) -> int:
        """Samples that came in and did not go out yet."""
        return len(self._pcm) // SAMPLE_BYTES

    @property
    def is_played(self) -> bool:
        """Whether all of it went out, and no more comes."""
        return self.is_ended and not self._pcm

    def push(self, pcm: bytes) -> None:
        """Take sound, whole samples."""
        self._pcm += pcm

    def unsent(self, most: int) -> bytes:
        """Return the next samples that the bridge does not have, at most so many; what was played it need not have."""
        self.sent = max(self.sent, self.played)
        start = (self.sent - self.played) * SAMPLE_BYTES
        return bytes(self._pcm[start : start + most * SAMPLE_BYTES])

    def send_anew(self, slot_samples: int) -> None:
        """Forget what was sent: a new session has nothing of it, and is sent what it can still paint in time."""
        ahead = RESUMED_SLOTS * slot_samples if self.played else 0
        self.sent = self.played + min(ahead, self.waiting // slot_samples * slot_samples)
        self.is_end_sent = False
        self._pictures.clear()

    def put(self, sample: int, picture: SpeechPicture) -> None:
        """Take the picture of the 40 ms from ``sample`` on; pictures come in order."""
        if not self.is_over:
            self._pictures.append((sample, picture))

    def has_pictures(self, slot_samples: int) -> bool:
        """Tell whether there are pictures enough to begin: of the first few slots, or to the end."""
        if not self._pictures:
            return False
        reach = self._pictures[-1][0] + slot_samples - self.played
        return reach >= START_PICTURES * slot_samples or (self.is_ended and reach >= self.waiting)

    def knows_picture(self) -> bool:
        """Tell whether the next picture is there, or never comes as a later one is."""
        return bool(self._pictures) and self._pictures[-1][0] >= self.played

    def take(self, slot_samples: int) -> tuple[int | None, SpeechPicture | None, bytes]:
        """Let the next 40 ms go out: by how many samples the picture is late, the picture, if any, and the sound."""
        late, picture = None, None
        while self._pictures and self._pictures[0][0] <= self.played:
            sample, newest = self._pictures.popleft()
            if self.played - sample <= SHOWN_LATE_SLOTS * slot_samples:
                late, picture = self.played - sample, newest
        pcm = bytes(self._pcm[: slot_samples * SAMPLE_BYTES])
        del self._pcm[: slot_samples * SAMPLE_BYTES]
        self.played += len(pcm) // SAMPLE_BYTES
        return late, picture, pcm


@dataclass(frozen=True)
class Slot:
    """What belongs together in 40 ms.

    Attributes:
        picture: To be shown; None where the one before it stays.
        pcm: Its sound, ``s16le``; empty where nothing is said.
        ended: The utterance that this is the last of, if any.
    """

    picture: SpeechPicture | None = None
    pcm: bytes = b""
    ended: Segment | None = None


class Playout:
    """Utterances in a row, and silence between them. Times are seconds on any clock that only goes on.

    Args:
        sample_rate: Samples of the sound a second, a multiple of 25.
        look_ahead_s: How much sound a picture waits for.
        patience_s: How long an utterance waits for its first pictures, once there is sound enough for one.
        now_s: When it begins.

    Attributes:
        segments: Utterances that are not played yet.
        is_connected: Whether there is a bridge that pictures can come from.
        look_ahead_s: As above; the bridge says it.
        missed: Slots of speech so far whose picture was not there in time.
    """

    def __init__(self, sample_rate: int, look_ahead_s: float, patience_s: float, now_s: float) -> None:
        self.segments: deque[Segment] = deque()
        self.is_connected = False
        self.look_ahead_s = look_ahead_s
        self.missed = 0
        self._sample_rate = sample_rate
        self._slot_samples = sample_rate // FPS
        self._patience_s = patience_s
        self._silent: deque[SpeechPicture] = deque(maxlen=SILENT_MOST)
        self._next_s = now_s
        self._is_speaking = False

    @property
    def held_s(self) -> float:
        """How much sound waits to go out, in seconds."""
        return sum(segment.waiting for segment in self.segments) / self._sample_rate

    def push(self, pcm: bytes, now_s: float) -> None:
        """Take sound of the current utterance, or of a new one after an end."""
        if not pcm:
            return
        if not self.segments or self.segments[-1].is_ended:
            self.segments.append(Segment())
        self.segments[-1].push(pcm)
        self._note_heard(self.segments[-1], now_s)

    def end(self, now_s: float) -> Segment | None:
        """End the current utterance and return it; None if nothing was said."""
        if not self.segments or self.segments[-1].is_ended:
            return None
        self.segments[-1].is_ended = True
        self._note_heard(self.segments[-1], now_s)
        return self.segments[-1]

    def send_anew(self) -> None:
        """Have what is not played sent to a new session."""
        for segment in self.segments:
            segment.send_anew(self._slot_samples)

    def clear(self) -> None:
        """Forget all utterances, and be silent from the next slot on."""
        for segment in self.segments:
            segment.is_over = True
        self.segments.clear()
        self._is_speaking = False

    def put_silent(self, picture: SpeechPicture) -> None:
        """Take a picture with its mouth shut."""
        self._silent.append(picture)

    def next(self, now_s: float) -> Slot | float:
        """Return the next slot, or until when there is none; a change may bring one before."""
        segment = self.segments[0] if self.segments else None
        if segment is None:
            return self._silence(now_s)
        if segment.is_played:
            self.segments.popleft()
            self._is_speaking = False
            return Slot(ended=segment)
        if not (segment.is_ended or segment.waiting >= self._slot_samples):
            return self._starved(segment, now_s)
        if not self._is_speaking and not self._may_begin(segment, now_s):
            return self._silence(now_s)
        return self._speech(segment, now_s)

    def _speech(self, segment: Segment, now_s: float) -> Slot | float:
        if not self._is_speaking and now_s < self._next_s:
            return self._next_s
        is_waited_for = self.is_connected and self._is_speaking and not segment.knows_picture()
        if is_waited_for and now_s < self._next_s - LATE_S:
            return self._next_s - LATE_S
        if not self._is_speaking:
            self._silent.clear()
        self._is_speaking = True
        late, picture, pcm = segment.take(self._slot_samples)
        self.missed += late != 0
        self._pass(now_s)
        if not segment.is_played:
            return Slot(picture, pcm)
        self.segments.popleft()
        self._is_speaking = False
        return Slot(picture, pcm, ended=segment)

    def _starved(self, segment: Segment, now_s: float) -> Slot | float:
        """Go on in silence where sound is missing in mid-utterance; but not before it is needed."""
        if self._is_speaking and now_s < self._next_s - LATE_S:
            return self._next_s - LATE_S
        if self._is_speaking:
            segment.heard_s = None
        self._is_speaking = False
        return self._silence(now_s)

    def _silence(self, now_s: float) -> Slot | float:
        if now_s < self._next_s:
            return self._next_s
        self._pass(now_s)
        if len(self._silent) > SILENT_KEPT:
            self._silent.popleft()
        return Slot(self._silent.popleft() if self._silent else None)

    def _may_begin(self, segment: Segment, now_s: float) -> bool:
        if not self.is_connected or segment.has_pictures(self._slot_samples):
            return True
        return segment.heard_s is not None and now_s >= segment.heard_s + self._patience_s

    def _note_heard(self, segment: Segment, now_s: float) -> None:
        needed = self.look_ahead_s * self._sample_rate
        if segment.heard_s is None and (segment.is_ended or segment.waiting >= needed):
            segment.heard_s = now_s

    def _pass(self, now_s: float) -> None:
        """Go on to the next slot."""
        if now_s > self._next_s + SLACK_S:
            self._next_s = now_s
        self._next_s += SLOT_S
