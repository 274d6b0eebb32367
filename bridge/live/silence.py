"""Silent pictures: each frame of a clip with its mouth shut by the network itself, painted once and remembered."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bridge.errors import BridgeError
from bridge.live.models import LiveModels, Vectors
from bridge.live.requests import Picture
from bridge.workers.team import Team
from speech.contract import AUDIO_WINDOW
from speech.mel import VECTOR_SAMPLES

__all__ = ["SilentClip", "SilentClips"]

MAX_BYTES = 64 << 20
"""Pictures of all clips together: some 4,000 of them."""

AT_ONCE = 2
"""Silent pictures of one clip that are painted at the same time."""

SAME_VECTOR = 1e-3
TRIAL_AGE_S = 60.0
TRIALS = ((4, 24), (16, 96), (64, 384))
"""How many pictures are asked for at once, and how many in all: more at once where fewer do not tell what there is."""

QUICK_S = 0.25
"""A trial that took no longer cost little, and may have left most of a GPU idle: the next one asks for more at once."""

WORTH = 1.1
"""Times the pictures a second of the trial before: below that, more at once bring nothing more."""


logger = logging.getLogger(__name__)


@dataclass(eq=False)
class SilentClip:
    """What one avatar looks like in silence.

    Attributes:
        version: Of the model that painted it.
        frame_count: Frames of the clip.
        vector: What is heard in silence, (512,) float32.
        window: Sixteen of it, (16, 512) float32.
        pictures: Those that are painted, by frame id.
        pictures_per_s: How many pictures Triton painted a second, when that was tried out last.
        tried_s: When that was, on the monotonic clock.
        painting: Those that are being painted, by frame id.
        size: Bytes of all its pictures.
    """

    version: str
    frame_count: int
    vector: Vectors
    window: Vectors
    pictures: dict[int, Picture] = field(default_factory=dict)
    pictures_per_s: float = 0.0
    tried_s: float = 0.0
    painting: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    size: int = 0

    def is_of(self, version: str, frame_count: int, vector: Vectors) -> bool:
        """Tell whether this is the clip of what is loaded now; a GPU's vectors differ a little by batch."""
        same_model = (self.version, self.frame_count) == (version, frame_count)
        return same_model and np.allclose(self.vector, vector, atol=SAME_VECTOR)

    def remember(self, frame_id: int, picture: Picture) -> None:
        """Keep a picture; the first one of a frame stays."""
        if frame_id not in self.pictures:
            self.pictures[frame_id] = picture
            self.size += len(picture.jpeg)

    def forget_one(self) -> None:
        """Drop the picture that was kept first."""
        self.size -= len(self.pictures.pop(next(iter(self.pictures))).jpeg)


class SilentClips:
    """The silent clips of all avatars, within a bound; pictures of the one that was opened longest ago go first."""

    def __init__(self, models: LiveModels, team: Team | None = None) -> None:
        self._models = models
        self._team = team or Team()
        self._clips: dict[str, SilentClip] = {}  # in the order in which they were opened last
        # sessions go on with a clip that was replaced
        self._used: weakref.WeakSet[SilentClip] = weakref.WeakSet()
        self._opening: dict[str, asyncio.Task[SilentClip]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, avatar: str, frame_count: int, nobody_speaks: bool = False) -> SilentClip:
        """Return an avatar's silent clip, of the version that is loaded now.

        Its first frames are painted when it is new, as fast as Triton can, so that it is known how fast that is; and
        again after a while, where ``nobody_speaks`` whom that would disturb: Triton may have been busy then.

        Raises:
            BridgeError: If Triton cannot hear or paint.
        """
        if avatar not in self._opening:
            opening = asyncio.create_task(self._open(avatar, frame_count, nobody_speaks))
            self._opening[avatar] = opening
            opening.add_done_callback(lambda task: self._opened(avatar, task))
        return await asyncio.shield(self._opening[avatar])

    def paint(self, avatar: str, clip: SilentClip, frame_id: int, done: Callable[[], None]) -> None:
        """Have a frame painted, unless it is being or there is no room for it now; call ``done`` when it is there."""
        if frame_id in clip.painting or len(clip.painting) >= AT_ONCE:
            return
        task = asyncio.create_task(self._paint(avatar, clip, frame_id))
        clip.painting[frame_id] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: done())

    def remember(self, clip: SilentClip, frame_id: int, picture: Picture) -> None:
        """Keep a silent picture, and forget others where there is no room for all."""
        clip.remember(frame_id, picture)
        while sum(known.size for known in self._used) > MAX_BYTES:
            oldest = [known for known in self._clips.values() if known.pictures]
            replaced = [known for known in self._used if known.pictures and known not in self._clips.values()]
            (replaced or oldest)[0].forget_one()

    async def close(self) -> None:
        """Stop painting."""
        tasks = [*self._opening.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _open(self, avatar: str, frame_count: int, nobody_speaks: bool) -> SilentClip:
        silence = np.zeros((1, VECTOR_SAMPLES), np.float32)
        vector = (await self._models.encode(avatar, silence))[0]
        window = np.tile(vector, (AUDIO_WINDOW, 1))
        picture, version = await self._models.paint(avatar, 0, window)
        clip = self._clips.pop(avatar, None)
        if clip is None or not clip.is_of(version, frame_count, vector):
            clip = SilentClip(version, frame_count, vector, window)
            self._used.add(clip)
            self.remember(clip, 0, picture)
            await self._try_out(avatar, clip, nobody_speaks)
        elif nobody_speaks and time.monotonic() - clip.tried_s > TRIAL_AGE_S:
            await self._try_out(avatar, clip, nobody_speaks)
        self._clips[avatar] = clip
        return clip

    def _opened(self, avatar: str, task: asyncio.Task[SilentClip]) -> None:
        del self._opening[avatar]
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may have

    async def _try_out(self, avatar: str, clip: SilentClip, nobody_speaks: bool) -> None:
        """Note how many pictures a second Triton paints; where others speak, what was found before they did."""
        name = f"{avatar} {clip.version}"
        known = None if nobody_speaks else self._team.rate_of(name)
        clip.pictures_per_s = await self._tried(avatar, clip) if known is None else known
        clip.tried_s = time.monotonic()
        if known is None:
            self._team.note_rate(name, clip.pictures_per_s)
        logger.info("%s: Triton paints %.0f pictures a second", avatar, clip.pictures_per_s)

    async def _tried(self, avatar: str, clip: SilentClip) -> float:
        """Return how many pictures a second are painted, with as many at once as pay."""
        best = 0.0
        for at_once, count in TRIALS:
            start_s = time.perf_counter()
            await self._paint_first(avatar, clip, at_once, count)
            took_s = time.perf_counter() - start_s
            before, best = best, max(best, count / took_s)
            if took_s > QUICK_S or best < WORTH * before:
                break
        return best

    async def _paint_first(self, avatar: str, clip: SilentClip, at_once: int, count: int) -> None:
        """Paint a clip's first frames, and those after its last from the first on again, and remember them."""
        frame_ids = iter(range(count))

        async def paint_some() -> None:
            for number in frame_ids:
                frame_id = number % clip.frame_count
                picture, _ = await self._models.paint(avatar, frame_id, clip.window)
                self.remember(clip, frame_id, picture)

        await asyncio.gather(*(paint_some() for _ in range(at_once)))

    async def _paint(self, avatar: str, clip: SilentClip, frame_id: int) -> None:
        try:
            picture, _ = await self._models.paint(avatar, frame_id, clip.window)
            self.remember(clip, frame_id, picture)
        except BridgeError as exc:
            logger.debug("silent picture %d of %s: %s", frame_id, avatar, exc)
        finally:
            clip.painting.pop(frame_id, None)
