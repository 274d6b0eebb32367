"""The engine of one session: sound and times in, requests and messages out. No clock here, no socket, no Triton.

Pictures are numbered at 25 a second from the session's start. The first picture of an utterance takes a number that is
about to be due, so that it is shown as soon as it is made, and each later one the number after. While sound is missing
in mid-utterance, idle pictures go on and the rest of the utterance moves back. Where Triton is too slow, pictures whose
time is over are left out and counted, so that the mouth stays with the sound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from bridge.live.clip import frame_at
from bridge.live.requests import (
    Counts,
    EncodeRequest,
    EngineOptions,
    PaintRequest,
    Picture,
    Request,
    SilentRequest,
    Spoken,
    Vectors,
)
from bridge.live.wire import NO_SAMPLE, Flags, Packet, encode_event
from speech.contract import FPS
from speech.utterance import LOOK_AHEAD_VECTORS, Utterance

__all__ = ["Engine"]

START_FRAMES = 2
"""How far ahead the number of an utterance's first picture lies: 80 ms, about as long as it takes to make it."""

LATE_FRAMES = 5
"""Pictures later than this are left out, and sound missing for so long lets idle pictures go on: 0.2 s."""

SILENT_AHEAD = 3
"""How many pictures ahead silent ones are asked for, where they are not remembered yet."""

ENCODE_REQUESTS = 2
FIRST_BATCH = 4
MOST_EVENTS = 64
SHOWN_PICTURES = 256


@dataclass(eq=False)
class _Waiting:
    """A picture that was asked for, in its place in the order; ``lost`` if it will never come."""

    request: PaintRequest
    picture: Picture | None = None
    lost: bool = False


@dataclass(eq=False)
class Engine:
    """One session. Times are seconds on any clock that only goes on.

    Attributes:
        start_s: When it began.
        silent_pictures: Those of the clip's frames that are remembered; shared by sessions, filled by the caller.
        epoch: Counts interruptions.
        counts: What happened so far.
    """

    options: EngineOptions
    start_s: float
    silent_pictures: dict[int, Picture] = field(default_factory=dict)
    epoch: int = 0
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self._next = 0
        self._samples = 0
        self._encoding: set[EncodeRequest] = set()
        self._speaking = False
        self._queue: deque[Spoken] = deque()
        self._waiting: deque[_Waiting] = deque()
        self._events: deque[str] = deque()
        self._shown: deque[tuple[int, int]] = deque(maxlen=SHOWN_PICTURES)

    def feed(self, samples: Vectors, client_samples: int, now_s: float) -> None:
        """Take sound of the current utterance, (S,) float32 at 16 kHz, for which ``client_samples`` were sent."""
        if not self._queue or self._queue[-1].heard.ended:
            self._queue.append(Spoken(self._samples, Utterance(self.options.look_ahead)))
        self._queue[-1].heard.feed(samples)
        self._samples += client_samples
        self._queue[-1].end_sample = self._samples
        self._note_heard(now_s)

    def end(self, rest: Vectors, now_s: float) -> None:
        """The current utterance is over, but for ``rest``, samples that a resampler held back."""
        if self._queue and not self._queue[-1].heard.ended:
            self._queue[-1].heard.feed(rest)
            self._queue[-1].heard.end()
            self._note_heard(now_s)
        else:  # nothing was said
            self._say("ended", samples=self._samples, pictures=0, skipped=0)

    def interrupt(self, now_s: float) -> None:
        """Begin a new epoch: no picture of the old one is sent any more."""
        last_sample = self._last_sample_due(now_s)
        self._queue.clear()
        self._waiting.clear()
        self._encoding.clear()
        self._speaking = False
        if self.options.paced:
            self._next = self._due(now_s) + 1
        self.epoch += 1
        self.counts.interrupts += 1
        self._say("interrupted", sample=last_sample, number=self._next)

    @property
    def held_s(self) -> float:
        """How much sound waits for its pictures, in seconds; each utterance is at least one picture long."""
        return sum(spoken.held_frames for spoken in self._queue) / FPS

    @property
    def is_full(self) -> bool:
        """Whether more events wait to be sent than a client that reads ever has."""
        return len(self._events) > MOST_EVENTS

    def encoded(self, request: EncodeRequest, vectors: Vectors) -> None:
        """Take the vectors of a request, (n, 512) float32."""
        self._encoding.discard(request)
        request.spoken.heard.put(request.first, vectors)

    def painted(self, request: PaintRequest, picture: Picture | None) -> None:
        """Take the picture of a request, or None where it is lost: then it is left out."""
        for waiting in self._waiting:
            if waiting.request is request:
                waiting.picture, waiting.lost = picture, picture is None

    def requests(self, now_s: float) -> Iterator[Request]:
        """Yield what Triton is to be asked for now; an EncodeRequest or PaintRequest is yielded once."""
        for spoken in tuple(self._queue):
            yield from self._encode_requests(spoken, now_s)
            yield from self._paint_requests(spoken, now_s)
            if not spoken.is_asked_for:
                break
        yield from self._silent_requests(now_s)

    def messages(self, now_s: float) -> Iterator[str | bytes]:
        """Yield what is to be sent now, in order."""
        while True:
            picture = self._next_picture(now_s)
            epoch = self.epoch
            while self._events:  # an event comes before the picture that brought it up
                yield self._events.popleft()
            if picture is None:
                return
            if epoch == self.epoch:  # the client may interrupt while an event is being sent
                yield picture

    def wake_s(self, now_s: float) -> float | None:
        """Return when the next picture is due; None if only a message can change anything."""
        return self.start_s + (self._due(now_s) + 1) / FPS if self.options.paced else None

    def _note_heard(self, now_s: float) -> None:
        spoken = self._queue[-1]
        if spoken.heard_s is None and spoken.heard.is_heard(0):
            spoken.heard_s = now_s

    def _encode_requests(self, spoken: Spoken, now_s: float) -> Iterator[EncodeRequest]:
        if spoken.heard.given >= spoken.heard.vector_count:  # mostly: nothing new was heard
            return
        horizon = self._horizon(spoken, now_s)
        while len(self._encoding) < (ENCODE_REQUESTS if spoken.asked else 1):
            # the first picture waits for seven vectors, and shares the machine with few more
            batch = self.options.batch if spoken.sent else FIRST_BATCH
            if not spoken.heard.given:
                batch = LOOK_AHEAD_VECTORS + 1
            first, samples = spoken.heard.inputs(
                min(batch, horizon + LOOK_AHEAD_VECTORS + 1 - spoken.heard.given)
            )
            if not len(samples):
                return
            request = EncodeRequest(spoken, first, samples)
            self._encoding.add(request)
            yield request

    def _paint_requests(self, spoken: Spoken, now_s: float) -> Iterator[PaintRequest]:
        while len(self._waiting) < self.options.requests:
            if spoken.is_asked_for or not spoken.heard.is_ready(spoken.asked):
                return
            if self._leave_out_late(spoken, now_s):
                continue
            if spoken.asked >= self._horizon(spoken, now_s):
                return
            if spoken.anchor is None:
                spoken.anchor = self._first_number(now_s) - spoken.asked
            request = self._paint_request(spoken, spoken.anchor + spoken.asked)
            spoken.asked += 1
            spoken.heard.forget_before(spoken.asked)
            self._waiting.append(_Waiting(request))
            yield request

    def _paint_request(self, spoken: Spoken, number: int) -> PaintRequest:
        flags = Flags.SPEECH
        if spoken.asked == 0:
            flags |= Flags.FIRST
        if spoken.heard.frame_count == spoken.asked + 1:
            flags |= Flags.LAST
        sample = spoken.first_sample + round(spoken.asked * self.options.samples_per_frame)
        frame_id = frame_at(number, self.options.frame_count)
        return PaintRequest(spoken, number, frame_id, sample, flags, spoken.heard.window(spoken.asked))

    def _leave_out_late(self, spoken: Spoken, now_s: float) -> bool:
        """Pass over pictures whose time is over though their sound was there: Triton is behind; tell whether any."""
        if not self.options.paced or spoken.anchor is None:
            return False
        late = self._lateness(spoken, now_s)
        if late <= LATE_FRAMES:
            return False
        left = (spoken.heard.frame_count or spoken.asked + late) - spoken.asked
        # no more than need be: one here and there shows less than many at once
        count = min(late - LATE_FRAMES, left)
        spoken.asked += count
        spoken.skipped += count
        self.counts.skipped += count
        spoken.heard.forget_before(spoken.asked)
        return True

    def _silent_requests(self, now_s: float) -> Iterator[SilentRequest]:
        if not self.options.paced or self._waiting:
            return
        for number in range(self._next, self._due(now_s) + 1 + SILENT_AHEAD):
            frame_id = frame_at(number, self.options.frame_count)
            if frame_id not in self.silent_pictures:
                yield SilentRequest(frame_id)

    def _next_picture(self, now_s: float) -> bytes | None:
        """Return the next picture to send, if there is one by now."""
        self._finish_spoken()
        while self._waiting:
            head = self._waiting[0]
            if self._speaking and Flags.FIRST not in head.request.flags:
                self._next = head.request.number  # the numbers between are of pictures that were left out
            if self._next < head.request.number and self.options.paced:
                if head.picture is None and not head.lost and self._next > self._due(now_s):
                    return None
                if (silent := self._silent_picture()) is not None:
                    return silent
            elif head.lost:
                self._waiting.popleft()
                self._next = head.request.number + 1
                head.request.spoken.skipped += 1
                self.counts.skipped += 1
                self._finish_spoken()
            elif head.picture is None:
                return None
            else:
                self._waiting.popleft()
                return self._spoken_picture(head.request, head.picture, now_s)
        return self._idle_picture(now_s)

    def _spoken_picture(self, request: PaintRequest, picture: Picture, now_s: float) -> bytes:
        if not self._speaking or Flags.FIRST in request.flags:
            self._say("speaking", number=request.number, sample=request.sample)
        self._speaking = True
        request.spoken.sent += 1
        self.counts.pictures += 1
        self.counts.late_s.append(now_s - self.start_s - request.number / FPS)
        if Flags.FIRST in request.flags and request.spoken.heard_s is not None:
            self.counts.first_picture_s.append(now_s - request.spoken.heard_s)
        return self._packet(request.number, request.frame_id, request.sample, request.flags, picture)

    def _idle_picture(self, now_s: float) -> bytes | None:
        """Return a silent picture that is due, where nothing is said or the sound is missing."""
        if not self.options.paced:
            return None
        if self._queue and self._queue[0].anchor is not None:
            if not self._is_starved(self._queue[0], now_s):
                return None
            self._queue[0].anchor = None
            self.counts.starved += 1
        if self._speaking:
            self._speaking = False
            self._say("idle", number=self._next, reason="starved" if self._queue else "ended")
        while self._next <= self._due(now_s):
            remembered = frame_at(self._next, self.options.frame_count) in self.silent_pictures
            if not remembered and self._next > self._due(now_s) - SILENT_AHEAD:
                return None  # it is on its way
            if (silent := self._silent_picture()) is not None:
                return silent
        return None

    def _is_starved(self, spoken: Spoken, now_s: float) -> bool:
        return self._lateness(spoken, now_s) > LATE_FRAMES and not spoken.heard.is_heard(spoken.asked)

    def _silent_picture(self) -> bytes | None:
        """Return the next number's silent picture and pass on to the one after; None if it is not remembered."""
        number = self._next
        frame_id = frame_at(number, self.options.frame_count)
        picture = self.silent_pictures.get(frame_id)
        if picture is None:
            self._next += 1
            return None
        self.counts.silent += 1
        return self._packet(number, frame_id, NO_SAMPLE, Flags.SILENT, picture)

    def _packet(self, number: int, frame_id: int, sample: int, flags: Flags, picture: Picture) -> bytes:
        self._next = number + 1
        self._shown.append((number, sample))
        return Packet(
            flags, self.epoch, number, frame_id, sample, picture.bounds, self.options.border, picture.jpeg
        ).encode()

    def _finish_spoken(self) -> None:
        """Say ``ended`` of the first utterance once all its pictures are sent or left out."""
        while self._queue and self._queue[0].is_asked_for:
            spoken = self._queue[0]
            if any(waiting.request.spoken is spoken for waiting in self._waiting):
                return
            self._queue.popleft()
            self._say("ended", samples=spoken.end_sample, pictures=spoken.sent, skipped=spoken.skipped)

    def _last_sample_due(self, now_s: float) -> int | None:
        """Return the session's last sample whose picture was due; None where that was a silent one."""
        due = self._due(now_s) if self.options.paced else self._next
        for number, sample in reversed(self._shown):
            if number <= due:
                return None if sample == NO_SAMPLE else sample + round(self.options.samples_per_frame) - 1
        return None

    def _due(self, now_s: float) -> int:
        """Return the number of the picture that is due now."""
        return int((now_s - self.start_s) * FPS)

    def _lateness(self, spoken: Spoken, now_s: float) -> int:
        """Return by how many pictures the next one to ask for is overdue, of an utterance that has its numbers."""
        assert spoken.anchor is not None
        return self._due(now_s) - (spoken.anchor + spoken.asked)

    def _first_number(self, now_s: float) -> int:
        """Return the number for the next picture that follows no other of its utterance."""
        free = self._waiting[-1].request.number + 1 if self._waiting else self._next
        return max(free, self._due(now_s) + START_FRAMES) if self.options.paced else free

    def _horizon(self, spoken: Spoken, now_s: float) -> int:
        """Return how many of an utterance's pictures may be asked for by now."""
        if not self.options.paced:
            return spoken.asked + self.options.requests
        anchor = self._first_number(now_s) - spoken.asked if spoken.anchor is None else spoken.anchor
        return self._due(now_s) + int(self.options.lead_s * FPS) - anchor

    def _say(self, kind: str, **fields: object) -> None:
        self._events.append(encode_event(kind, epoch=self.epoch, **fields))
