"""Sound that waits for its pictures, and what follows it in the pipeline, in their order: no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from pipecat.frames.frames import Frame, TTSAudioRawFrame

from lipsync_client.speech_wire import FPS
from pipecat_lipsync.sound import SAMPLE_BYTES, Sound, frame_like

__all__ = ["HeldSound"]


@dataclass
class _Run:
    """Sound of one kind."""

    like: TTSAudioRawFrame
    audio: bytearray

    @property
    def block_bytes(self) -> int:
        return SAMPLE_BYTES * self.like.num_channels

    @property
    def samples(self) -> int:
        return len(self.audio) // self.block_bytes

    def takes(self, like: TTSAudioRawFrame) -> bool:
        """Tell whether sound like that is of the same kind."""
        return _kind(self.like) == _kind(like)

    def take(self, samples: int, rate: int) -> TTSAudioRawFrame:
        """Return the next samples as a frame, and forget them."""
        size = samples * self.block_bytes
        frame = frame_like(self.like, bytes(self.audio[:size]), rate)
        del self.audio[:size]
        return frame


class HeldSound:
    """What there is to play yet. Every sample that is added is taken once, in order.

    Args:
        rate: Samples a second.

    Attributes:
        epoch: That of the session which this sound belongs to; None before ``begin``.
        samples: How many wait.
    """

    def __init__(self, rate: int) -> None:
        self.epoch: int | None = None
        self.samples = 0
        self._rate = rate
        self._samples_per_picture = rate / FPS
        self._first_sample = 0
        self._taken = 0
        self._items: deque[_Run | Frame] = deque()
        self._ends: deque[int] = deque()

    def __bool__(self) -> bool:
        """Tell whether anything waits."""
        return bool(self._items)

    @property
    def position(self) -> int:
        """The session's sample that is taken next."""
        return self._first_sample + self._taken

    def begin(self, epoch: int, first_sample: int) -> None:
        """Say which pictures are those of this sound.

        Args:
            epoch: Theirs.
            first_sample: The session's sample that the first one that was ever added here is.
        """
        self.epoch = epoch
        self._first_sample = first_sample

    def begin_after(self, epoch: int) -> None:
        """Say that a session begins with the next sample that is added: it has no pictures of those before."""
        self.begin(epoch, -(self._taken + self.samples))

    def add_sound(self, sound: Sound) -> None:
        """Add sound after all that waits."""
        last = self._items[-1] if self._items else None
        if not isinstance(last, _Run) or not last.takes(sound.like):
            last = _Run(sound.like, bytearray())
            self._items.append(last)
        last.audio += sound.samples.tobytes()
        self.samples += len(sound.samples)

    def add_frame(self, frame: Frame) -> None:
        """Add a frame that is to follow all sound that waits."""
        self._items.append(frame)

    def end(self) -> None:
        """Note that an utterance is over: its last picture is not given sound of the next one."""
        if self.samples:
            self._ends.append(self._taken + self.samples)

    def is_over(self, sample: int) -> bool:
        """Tell whether the sound of a picture was taken before: the picture came too late."""
        return sample + self._samples_per_picture / 2 < self.position

    def picture_end(self, sample: int) -> int:
        """Return the sample at which the picture of ``sample`` ends, or its utterance does."""
        end = sample + round(self._samples_per_picture)
        return min(end, self._first_sample + self._ends[0]) if self._ends else end

    def take(self, until: int) -> Iterator[Frame]:
        """Take sound up to the session's sample ``until``, and the frames that follow it, as frames to be pushed."""
        while self._items:
            item = self._items[0]
            if isinstance(item, Frame):
                self._items.popleft()
                yield item
                continue
            samples = min(until - self.position, item.samples)
            if samples <= 0:
                return
            frame = item.take(samples, self._rate)
            if not item.audio:
                self._items.popleft()
            self._taken += samples
            while self._ends and self._ends[0] <= self._taken:
                self._ends.popleft()
            self.samples -= samples
            yield frame

    def take_all(self) -> Iterator[Frame]:
        """Take everything that waits."""
        return self.take(self.position + self.samples)

    def uninterruptible(self) -> list[Frame]:
        """Take everything, and return what an interruption does not end; see ``Frame.interruptible``."""
        return [frame for frame in self.take_all() if not frame.interruptible]


def _kind(like: TTSAudioRawFrame) -> tuple[object, ...]:
    return like.num_channels, like.context_id, like.transport_destination, like.interruptible
