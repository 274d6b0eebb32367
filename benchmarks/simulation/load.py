"""Loads: callers who ask without pause, viewers at 25 frames per second, an offered rate, and live sessions.

Each is a coroutine that takes a world, and returns what its clients saw after a warm-up.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.triton import Ask, Kind
from benchmarks.simulation.world import World
from bridge.live.engine import LATE_FRAMES, START_FRAMES
from bridge.live.hub import USABLE_SHARE
from bridge.live.requests import EngineOptions
from bridge.live.silence import QUICK_S, TRIALS, WORTH
from speech.contract import FPS

__all__ = ["Clips", "admitted_sessions", "callers", "live_sessions", "offered", "viewers"]

Load = Callable[[World], Awaitable[Outcome]]

FRAME_S = 1 / FPS
WINDOW = 32
"""Frames of one viewer in flight before its connection is no longer read: ``BRIDGE_MAX_INFLIGHT``."""

GRACE_S = 1.0
"""How long after the end a frame that was due before may still come."""

OPTIONS = EngineOptions(frame_count=1)
AVATAR = "avatar0"
"""Whom live sessions speak through."""


@dataclass(frozen=True)
class Clips:
    """What viewers watch.

    Attributes:
        avatars: How many different ones, each watched by as many.
        frames: Of each clip.
        is_warm: Whether the response caches have the clips already, as far as they fit.
    """

    avatars: int = 1
    frames: int = 555
    is_warm: bool = False

    def ask(self, viewer: int, turn: int) -> Ask:
        """Return what a viewer asks for in its ``turn``; viewers of one clip are spread over it."""
        frame_id = (turn + viewer * 97) % self.frames
        return Ask(f"avatar{viewer % self.avatars}", Kind.FRAME, frame_id)

    def warm(self, world: World) -> None:
        """Fill the caches, if they are to be."""
        for triton in world.tritons if self.is_warm else ():
            for avatar in range(self.avatars):
                triton.fill_cache(f"avatar{avatar}", range(self.frames))


def callers(count: int, seconds: float, clips: Clips = Clips(), warm_s: float = 0.5) -> Load:
    """Return a load of callers who each ask for the next frame as soon as they have one."""

    async def load(world: World) -> Outcome:
        clips.warm(world)
        meter = _Meter(world, warm_s, seconds)

        async def call(number: int) -> None:
            bridge, turn = world.bridges[number % len(world.bridges)], 0
            while world.loop.time() < meter.end_s:
                asked_s = world.loop.time()
                code = await bridge.frame(f"caller {number}", clips.ask(number, turn))
                meter.came(code, asked_s)
                turn += 1

        await asyncio.gather(*(world.loop.create_task(call(number)) for number in range(count)))
        meter.outcome.asked = sum(meter.outcome.codes.values())
        return meter.result()

    return load


def viewers(count: int, seconds: float, clips: Clips = Clips(), warm_s: float = 0.5) -> Load:
    """Return a load of viewers who each watch at 25 frames per second, one request a frame when it is due."""
    return _paced(count, FPS, seconds, clips, warm_s, GRACE_S)


def offered(rate: float, clients: int, seconds: float, clips: Clips = Clips(), warm_s: float = 1.5) -> Load:
    """Return a load of so many frames a second, whatever becomes of them, asked for by so many clients in turn.

    Here answers are counted by when they come, not by when they were due.
    """
    return _paced(clients, rate / clients, seconds, clips, warm_s, None)


def live_sessions(
    count: int, seconds: float, speech_share: float = 1.0, utterance_s: float = 5.0, warm_s: float = 1.0
) -> Load:
    """Return a load of live sessions, each speaking for ``speech_share`` of the time, in utterances."""

    async def load(world: World) -> Outcome:
        meter = _Meter(world, warm_s, seconds)
        sessions = [_Session(world, meter, number, count) for number in range(count)]
        talks = [session.talk(speech_share, utterance_s) for session in sessions]
        await asyncio.gather(*(world.loop.create_task(talk) for talk in talks))
        return meter.result()

    return load


async def admitted_sessions(world: World) -> int:
    """Return how many live sessions one bridge, all of its workers together, admits: it tries out what can be painted.

    Another bridge of the same Tritons admits as many again; neither knows of the other.
    """
    rate = 0.0
    for at_once, count in TRIALS:
        begin_s, numbers = world.loop.time(), iter(range(count))

        async def paint(numbers: Iterator[int] = numbers) -> None:
            for _ in numbers:
                await world.bridges[0].asked(Ask(AVATAR, Kind.PICTURE), is_urgent=True)

        await asyncio.gather(*(world.loop.create_task(paint()) for _ in range(at_once)))
        took_s = world.loop.time() - begin_s
        before, rate = rate, max(rate, count / took_s)
        if took_s > QUICK_S or count / took_s < WORTH * before:
            break
    return max(1, math.floor(USABLE_SHARE * rate / FPS))


class _Meter:
    """Counts what is asked for after a warm-up, until the end."""

    def __init__(self, world: World, warm_s: float, seconds: float) -> None:
        self.outcome = Outcome(seconds)
        self.begin_s = world.loop.time() + warm_s
        self.end_s = self.begin_s + seconds
        self._world = world

    def asked(self, asked_s: float) -> None:
        """Count a frame that was due at a time."""
        self.outcome.asked += self.begin_s <= asked_s < self.end_s

    def answered(self, code: str, due_s: float) -> None:
        """Count the answer to a frame that was due while it was measured."""
        if self.begin_s <= due_s < self.end_s:
            self.outcome.note(code, self._world.loop.time() - due_s)

    def came(self, code: str, due_s: float) -> None:
        """Count an answer that comes while it is measured."""
        now_s = self._world.loop.time()
        if self.begin_s <= now_s < self.end_s:
            self.outcome.note(code, now_s - due_s)

    def result(self) -> Outcome:
        """Return the outcome, with what Tritons know."""
        tritons = self._world.tritons
        hits, misses = sum(t.hits for t in tritons), sum(t.misses for t in tritons)
        self.outcome.hit_share = hits / (hits + misses) if hits + misses else 0.0
        self.outcome.queue_s = sum(triton.queue_s for triton in tritons) / len(tritons)
        return self.outcome


def _paced(
    count: int, rate: float, seconds: float, clips: Clips, warm_s: float, grace_s: float | None
) -> Load:
    async def load(world: World) -> Outcome:
        clips.warm(world)
        meter = _Meter(world, warm_s, seconds)
        note = meter.came if grace_s is None else meter.answered
        begin_s, tasks = world.loop.time(), set()

        async def frame(number: int, turn: int, due_s: float, window: asyncio.Semaphore) -> None:
            async with window:
                bridge = world.bridges[number % len(world.bridges)]
                code = await bridge.frame(f"viewer {number}", clips.ask(number, turn))
            note(code, due_s)

        async def watch(number: int) -> None:
            window, turn = asyncio.Semaphore(WINDOW), 0
            while (due_s := begin_s + (turn + number / count) / rate) < meter.end_s:
                await asyncio.sleep(due_s - world.loop.time())
                meter.asked(due_s)
                task = world.loop.create_task(frame(number, turn, due_s, window))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                turn += 1

        await asyncio.gather(*(world.loop.create_task(watch(number)) for number in range(count)))
        await _ended(tasks, grace_s or 0.0)
        return meter.result()

    return load


async def _ended(tasks: set[asyncio.Task[None]], grace_s: float) -> None:
    """Give tasks a while to end, then cancel them."""
    if tasks:
        await asyncio.wait(tasks, timeout=grace_s)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Session:
    """One live session: its vectors, its pictures, and the engine's rules of numbers and of what is too late."""

    def __init__(self, world: World, meter: _Meter, number: int, count: int) -> None:
        self._world, self._meter = world, meter
        self._bridge = world.bridges[number % len(world.bridges)]
        self._phase = number / count
        self._start_s = world.loop.time()
        self._next = 0
        self._utterance, self._anchor = -1, 0
        self._heard: deque[tuple[int, int]] = deque()
        self._ready: deque[tuple[int, int]] = deque()
        self._asked = 0
        self._encoding = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def talk(self, speech_share: float, utterance_s: float) -> None:
        """Speak and be silent in turn until the load ends."""
        loop, silent_s = self._world.loop, utterance_s * (1 / speech_share - 1)
        begin_s = self._start_s - self._phase * (
            utterance_s + silent_s
        )  # in the middle of one, or of a silence
        for utterance in itertools.count():
            for number in range(round((utterance_s + silent_s) * FPS)):
                time_s = begin_s + number * FRAME_S
                if time_s >= self._meter.end_s:
                    break
                if time_s < self._start_s:
                    continue
                await asyncio.sleep(time_s - loop.time())
                if number < round(utterance_s * FPS):
                    self._hear(utterance, number)
                else:
                    self._bridge.thread.work(self._bridge.costs.silent_core_s)
            begin_s += utterance_s + silent_s
            if begin_s >= self._meter.end_s:
                break
        await _ended(self._tasks, GRACE_S)

    def _hear(self, utterance: int, number: int) -> None:
        """All sound of a picture is there: its vector can be asked for, with all that wait."""
        self._heard.append((utterance, number))
        if not self._encoding:
            self._encoding = True
            self._run(self._encode())

    async def _encode(self) -> None:
        while self._heard:
            taken = [self._heard.popleft() for _ in range(min(OPTIONS.batch, len(self._heard)))]
            await self._work(len(taken))
            await self._bridge.asked(Ask(AVATAR, Kind.VECTORS, count=len(taken)), is_urgent=True)
            self._ready.extend(taken)
            self._paint_more()
        self._encoding = False

    def _paint_more(self) -> None:
        """Ask for pictures, as many as may be at once; leave out what is late before it is begun."""
        while self._ready and self._asked < OPTIONS.requests:
            due = int((self._world.loop.time() - self._start_s) * FPS)
            utterance, number = self._ready.popleft()
            if utterance != self._utterance:
                self._utterance, self._anchor = utterance, max(self._next, due + START_FRAMES) - number
            self._next = self._anchor + number + 1
            due_s = self._start_s + (self._anchor + number) * FRAME_S
            self._meter.asked(due_s)
            if due - (self._anchor + number) > LATE_FRAMES:
                self._meter.answered("late", due_s)
            else:
                self._asked += 1
                self._run(self._paint(due_s))

    async def _paint(self, due_s: float) -> None:
        await self._work(1)
        code = await self._bridge.asked(Ask(AVATAR, Kind.PICTURE), is_urgent=True)
        await self._work(1)
        self._asked -= 1
        self._meter.answered(code, due_s)
        self._paint_more()

    async def _work(self, pictures: int) -> None:
        """Have the bridge do a third of what so many pictures take."""
        await self._world.loop.until(
            self._bridge.thread.work(pictures * self._bridge.costs.picture_core_s / 3)
        )

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._world.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
