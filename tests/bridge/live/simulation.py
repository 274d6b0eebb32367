"""A client, a clock and a Triton around an engine, all in one thread: time goes on in steps of 5 ms."""

import heapq
import itertools
import json
from dataclasses import dataclass, field

import numpy as np

from bridge.live.engine import Engine
from bridge.live.requests import EncodeRequest, EngineOptions, PaintRequest, Picture
from bridge.live.wire import HEADER, HEADER_BYTES, Flags
from speech.utterance import Utterance

STEP_S = 0.005
BOUNDS = (1, 2, 301, 302)
PROJECTION = (np.random.default_rng(0).normal(size=(3_800, 512)) / 60).astype(np.float32)


def encode(inputs):
    """Stand in for the encoder, one input at a time, so that no batch changes a bit."""
    return np.array([samples @ PROJECTION for samples in inputs], np.float32).reshape(len(inputs), 512)


def painted(window):
    """Stand in for the network: a picture that tells what it heard."""
    return window.tobytes()


def expected_pictures(samples):
    """Return the pictures of a sound that comes in one piece."""
    utterance = Utterance()
    utterance.feed(samples)
    utterance.end()
    while len((given := utterance.inputs(16))[1]):
        utterance.put(given[0], encode(given[1]))
    return [painted(utterance.window(frame)) for frame in range(utterance.frame_count)]


@dataclass
class Sent:
    """A picture as the client received it."""

    time_s: float
    flags: Flags
    epoch: int
    number: int
    frame_id: int
    sample: int
    bounds: tuple[int, ...]
    jpeg: bytes


@dataclass
class Simulation:
    """``run(until_s)`` lets time pass; what is scheduled by ``at`` happens on the way."""

    options: EngineOptions
    latency_s: float = 0.03
    jitter_s: float = 0.0
    lose: object = lambda request: False
    now_s: float = 100.0
    pictures: list[Sent] = field(default_factory=list)
    events: list[dict] = field(default_factory=list)

    def __post_init__(self):
        self.engine = Engine(self.options, self.now_s)
        self.log = []
        self._rng = np.random.default_rng(0)
        self._plan = []
        self._number = itertools.count()
        self._under_way = []

    def at(self, time_s, action):
        """Have ``action(engine, now_s)`` called at a time from the start on."""
        heapq.heappush(self._plan, (100.0 + time_s, next(self._number), action))

    def say(self, time_s, samples, chunk=None, real_time=False, end=True):
        """Schedule an utterance, in pieces of ``chunk`` samples; return when its last piece comes."""
        chunk = chunk or len(samples)
        for start in range(0, len(samples), chunk):
            piece = samples[start : start + chunk]
            self.at(time_s, lambda engine, now_s, piece=piece: engine.feed(piece, len(piece), now_s))
            time_s += chunk / 16_000 if real_time else 0
        if end:
            self.at(time_s, lambda engine, now_s: engine.end(np.zeros(0, np.float32), now_s))
        return time_s

    def run(self, until_s):
        """Let time pass until so many seconds after the start."""
        while self.now_s < 100.0 + until_s:
            while self._plan and self._plan[0][0] <= self.now_s:
                heapq.heappop(self._plan)[2](self.engine, self.now_s)
            self._answer()
            for request in self.engine.requests(self.now_s):
                delay_s = self.latency_s + self.jitter_s * self._rng.random()
                self._under_way.append((self.now_s + delay_s, request))
            self._receive()
            self.now_s += STEP_S
        return self

    def speaking(self):
        """Return the pictures that sound belongs to."""
        return [picture for picture in self.pictures if Flags.SPEECH in picture.flags]

    def kinds(self):
        """Return the events' types, in order."""
        return [event["type"] for event in self.events]

    def _answer(self):
        due = [entry for entry in self._under_way if entry[0] <= self.now_s]
        self._under_way = [entry for entry in self._under_way if entry[0] > self.now_s]
        for _, request in due:
            if isinstance(request, EncodeRequest):
                self.engine.encoded(request, encode(request.samples))
            elif isinstance(request, PaintRequest):
                lost = self.lose(request)
                self.engine.painted(request, None if lost else Picture(painted(request.window), BOUNDS))
            else:
                self.engine.silent_pictures[request.frame_id] = Picture(b"silent", BOUNDS)

    def _receive(self):
        for message in self.engine.messages(self.now_s):
            if isinstance(message, str):
                self.events.append(json.loads(message))
                self.log.append(self.events[-1]["type"])
                continue
            _, _, flags, epoch, number, frame_id, sample, *bounds, _ = HEADER.unpack(message[:HEADER_BYTES])
            jpeg = message[HEADER_BYTES:]
            sent = Sent(
                self.now_s - 100.0, Flags(flags), epoch, number, frame_id, sample, tuple(bounds), jpeg
            )
            self.pictures.append(sent)
            self.log.append(sent)
