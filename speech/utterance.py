"""One utterance as it arrives: which windows of sound are complete, and which windows of vectors follow from them.

Whatever the chunks it comes in, an utterance gives the very windows that its whole sound gives at once. The rules are
those of the offline path (``speech.mel``, ``speech.features``, ``speech.windows`` with padding ``zeros``):

- Mel frame m is centred on sample 200·m of the emphasised sound and reads 400 samples to either side of it.
- Vector k reads the mel frames ⌊3.2·k⌋ to ⌊3.2·k⌋ + 15, past the end the last sixteen: 3,800 emphasised samples.
- Frame i hears the vectors i-8 to i+7 of the list that begins with a copy of the first and ends with one of the last.

Before the first sample and after the last one, the emphasised sound is zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speech.contract import AUDIO_WINDOW, FEATURE_SIZE, SAMPLES_PER_FRAME
from speech.mel import (
    FFT_SIZE,
    HOP,
    PRE_EMPHASIS,
    VECTOR_SAMPLES,
    WINDOW_FRAMES,
    window_count,
    window_start,
)

__all__ = ["LOOK_AHEAD_VECTORS", "SHORTEST_SAMPLES", "Utterance"]

LOOK_AHEAD_VECTORS = 6
"""Vectors after a frame's own that its window reaches to: frame i hears vector i + 6, and none later."""

SHORTEST_SAMPLES = (WINDOW_FRAMES - 1) * HOP
"""The least that fills one encoder input; what is shorter is lengthened by silence."""

HALF_WINDOW = AUDIO_WINDOW // 2
REACH = FFT_SIZE // 2
"""Samples that a mel frame reads before its centre, and after it."""

MOST_PIECES = 256
"""Pieces that are kept apart before they are joined: joining at every piece would copy a minute for one sample."""

Samples = NDArray[np.float32]

NO_INPUTS: Samples = np.zeros((0, VECTOR_SAMPLES), np.float32)
NO_VECTOR: Samples = np.zeros(FEATURE_SIZE, np.float32)


class Utterance:
    """Turns samples into encoder inputs, and their vectors into the windows of the frames; pure, and bounded in memory.

    It keeps the samples that incomplete encoder inputs still need, and the vectors that frames to come still need.

    Args:
        look_ahead: How many vectors after its own a frame waits for, 0 to 6. Below 6 a frame is ready sooner, and hears
            the newest vector again in place of those that are not there yet: no longer what the whole sound gives.

    Attributes:
        sample_count: Samples so far.
        ended: Whether ``end`` was called.
        given: How many encoder inputs were given out.
    """

    def __init__(self, look_ahead: int = LOOK_AHEAD_VECTORS) -> None:
        assert 0 <= look_ahead <= LOOK_AHEAD_VECTORS, look_ahead
        self.sample_count = 0
        self.ended = False
        self._look_ahead = look_ahead
        self._last_sample = np.float32(0)
        self._emphasised: Samples = np.zeros(REACH, np.float32)
        self._pieces: list[Samples] = []  # what follows ``_emphasised``
        self._first = -REACH  # the emphasised sample that ``_emphasised`` begins with
        self._complete = 0  # vectors that the samples so far are enough for
        self.given = 0
        self._vectors: dict[int, NDArray[np.float32]] = {}
        self._forgotten = 0  # vectors below this are no longer kept

    @property
    def frame_count(self) -> int | None:
        """How many frames the utterance has, 40 ms each, the last one begun; None before its end is known."""
        return -(-self.sample_count // SAMPLES_PER_FRAME) if self.ended else None

    @property
    def vector_count(self) -> int:
        """How many different vectors can be made of what was heard so far."""
        if self.ended:
            return window_count(1 + self._length // HOP) if self.sample_count else 0
        return self._complete

    def feed(self, samples: Samples) -> None:
        """Take the next samples, (S,) float32, 16 kHz mono, -1.0 to 1.0."""
        assert not self.ended
        if not samples.size:
            return
        before = np.concatenate([[self._last_sample], samples[:-1]])
        self._pieces.append(samples - np.float32(PRE_EMPHASIS) * before)
        if len(self._pieces) > MOST_PIECES:
            self._join()
        self._last_sample = samples[-1]
        self.sample_count += len(samples)
        while self._is_complete(self._complete):
            self._complete += 1

    def end(self) -> None:
        """Take no more: what lies behind the last sample is silence."""
        self.ended = True

    def inputs(self, most: int) -> tuple[int, Samples]:
        """Give out encoder inputs that are complete, each once and in order.

        Args:
            most: How many at most.

        Returns:
            The number of the first vector, and (n, 3800) float32 emphasised samples, n from 0 to ``most``.
        """
        first = self.given
        count = min(most, self.vector_count - first)
        if count <= 0:
            return first, NO_INPUTS
        self.given += count
        self._join()
        inputs = np.stack([self._input(k) for k in range(first, first + count)])
        self._drop_samples(self._start(self.given))
        return first, inputs

    def put(self, first: int, vectors: NDArray[np.float32]) -> None:
        """Take the vectors, (n, 512) float32, of inputs that were given out; in any order."""
        self._vectors.update(zip(range(first, first + len(vectors)), vectors, strict=True))

    def is_heard(self, frame: int) -> bool:
        """Tell whether all samples are there that a frame needs."""
        return self.ended or self.vector_count > frame + self._look_ahead

    def is_ready(self, frame: int) -> bool:
        """Tell whether all vectors are there that a frame hears."""
        newest = self._newest(frame)
        if newest not in self._vectors:  # the one that is usually waited for
            return False
        oldest = max(frame - HALF_WINDOW - 1, 0)
        return all(map(self._vectors.__contains__, range(min(oldest, newest), newest)))

    def window(self, frame: int) -> NDArray[np.float32]:
        """Return what a frame that is ready hears: (16, 512) float32."""
        newest, first = self._newest(frame), frame - HALF_WINDOW
        return np.array([self._listed(place, newest) for place in range(first, first + AUDIO_WINDOW)])

    def forget_before(self, frame: int) -> None:
        """Drop the vectors that only frames before ``frame`` hear."""
        oldest = frame - HALF_WINDOW - 1
        if self.ended:  # what repeats the last one past the end goes on being heard
            oldest = min(oldest, self.vector_count - 1)
        for k in range(self._forgotten, oldest):
            self._vectors.pop(k, None)
        self._forgotten = max(self._forgotten, oldest)

    @property
    def _length(self) -> int:
        return max(self.sample_count, SHORTEST_SAMPLES)

    def _join(self) -> None:
        self._emphasised = np.concatenate([self._emphasised, *self._pieces])
        self._pieces.clear()

    def _start(self, k: int) -> int:
        """Return the first mel frame of vector k."""
        start = window_start(k)
        return min(start, 1 + self._length // HOP - WINDOW_FRAMES) if self.ended else start

    def _is_complete(self, k: int) -> bool:
        return (window_start(k) + WINDOW_FRAMES - 1) * HOP + REACH <= self.sample_count

    def _input(self, k: int) -> Samples:
        begin = self._start(k) * HOP - REACH - self._first
        found = self._emphasised[begin : begin + VECTOR_SAMPLES]
        return found if len(found) == VECTOR_SAMPLES else np.pad(found, (0, VECTOR_SAMPLES - len(found)))

    def _drop_samples(self, mel_frame: int) -> None:
        """Forget the samples before a mel frame; never those of the last sixteen, which the end may need again."""
        last_start = 1 + self.sample_count // HOP - WINDOW_FRAMES
        keep = max(min(mel_frame, last_start) * HOP - REACH, self._first)
        self._emphasised = self._emphasised[keep - self._first :]
        self._first = keep

    def _newest(self, frame: int) -> int:
        """Return the last vector that a frame hears, however many are there."""
        if self.ended:
            return min(frame + LOOK_AHEAD_VECTORS, self.vector_count - 1)
        return frame + self._look_ahead

    def _listed(self, place: int, newest: int) -> NDArray[np.float32]:
        """Return a vector by its place in the list with a copy at either end; zeros outside."""
        if place < 0 or (self.ended and place > self.vector_count + 1):
            return NO_VECTOR
        return self._vectors[min(max(place - 1, 0), newest)]
