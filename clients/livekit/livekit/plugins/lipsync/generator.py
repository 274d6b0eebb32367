"""The video generator that LiveKit's avatar runner drives: speech goes in, pictures and the same speech come out."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Callable
from types import TracebackType

from livekit import rtc
from livekit.agents.voice.avatar import AudioSegmentEnd, AvatarOptions, VideoGenerator
from livekit.plugins.lipsync.faces import Faces
from livekit.plugins.lipsync.link import BridgeLink
from livekit.plugins.lipsync.playout import SLOT_S, Playout, Segment, Slot
from livekit.plugins.lipsync.sound import Converter

from lipsync_client import InvalidSetting, SpeechPicture
from lipsync_client.speech_settings import SpeechSettings, parse_bridge_url
from lipsync_client.speech_wire import FPS

__all__ = ["LipsyncGenerator"]

HELD_S = 20.0
"""How much sound may wait to be shown; then ``push_audio`` waits. The bridge holds a minute."""

LOOK_AHEAD_S = 0.4525
TAKING_TIMEOUT_S = 1.0
"""How long a clear waits for a piece of sound to be played that was given out; LiveKit's queue holds 0.1 s."""

Item = rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd


class LipsyncGenerator(VideoGenerator):
    """An avatar of a bridge as a video generator: ``async with LipsyncGenerator(url, "demo") as generator: …``.

    Speech comes out as it went in, to the sample, every 40 ms of it after their picture, and ``AudioSegmentEnd`` after
    the last of an utterance. Between utterances come silent pictures, 25 a second. While the bridge is away, speech
    goes on with the picture that was last; the bridge is tried again, by itself.

    Args:
        url: The bridge's, such as ``http://localhost:8086``.
        avatar: Whose face speaks.
        sample_rate: Samples of the speech a second, 8000 to 48000, a multiple of 25; what is pushed with another is
            converted.
        low_latency: Whether pictures wait for less of the speech to come, and are less exact for it.
        token: What a bridge that asks for one is shown.
        root_certificates: PEM file of the authorities to trust instead of the system's, for TLS.
        height: Of the video, pixels, even; None for the clip's own. The width goes with it.
        patience_s: How long speech waits for its first pictures before it goes on without.
        connect_timeout_s: Deadline for opening a connection, in seconds.
        answer_timeout_s: Deadline for the bridge's next message while one is due, in seconds.

    Attributes:
        missed: Pictures of speech so far that were not there in time: an older one was shown.

    Raises:
        InvalidUrl: If the URL names no bridge.
        InvalidSetting: If a setting has a value it cannot have.
    """

    def __init__(
        self,
        url: str,
        avatar: str,
        *,
        sample_rate: int = 16_000,
        low_latency: bool = False,
        token: str | None = None,
        root_certificates: str | None = None,
        height: int | None = None,
        patience_s: float = 2.0,
        connect_timeout_s: float = 5.0,
        answer_timeout_s: float = 10.0,
    ) -> None:
        self._settings = SpeechSettings(
            endpoint=parse_bridge_url(url),
            avatar=avatar,
            sample_rate=sample_rate,
            low_latency=low_latency,
            token=token,
            root_certificates=root_certificates,
            connect_timeout_s=connect_timeout_s,
            answer_timeout_s=answer_timeout_s,
        )
        _check(sample_rate, height, patience_s)
        self._patience_s = patience_s
        self._faces = Faces(self._settings, height)
        self._converter = Converter(sample_rate)
        self._items: deque[Item] = deque()
        self._given: Item | None = None
        self._ending: deque[Segment] = deque()
        self._last: rtc.VideoFrame | None = None
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._epoch = 0
        self._clearing = 0
        self._is_closed = False
        self._size = 0, 0
        self._playout: Playout
        self._link: BridgeLink

    async def start(self) -> None:
        """Connect to the bridge, and learn the size of the video.

        Raises:
            ServerUnavailable: If no bridge answers, or no Triton behind it.
            SpeechTimeout: If it does not answer in time.
            UnknownModel: If it has no such avatar.
            Overloaded: If it has no room for one more session.
            SpeechRefused: If the avatar cannot hear, or the bridge refuses for any other reason.
            ServerError: If it refuses a WebSocket at all, for want of a token, for one.
        """
        self._size = await self._faces.size()
        self._playout = Playout(
            self._settings.sample_rate, LOOK_AHEAD_S, self._patience_s, asyncio.get_running_loop().time()
        )
        self._link = BridgeLink(self._settings, self._playout, self._changed.set)
        await self._link.start()

    async def aclose(self) -> None:
        """Close the connection and end the iteration; harmless when repeated."""
        self._is_closed = True
        self._changed.set()
        self._taken.set()
        if hasattr(self, "_link"):
            await self._link.close()
        self._faces.close()

    async def __aenter__(self) -> LipsyncGenerator:
        try:
            await self.start()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def options(self) -> AvatarOptions:
        """What an ``AvatarRunner`` has to be told, once started."""
        width, height = self._size
        return AvatarOptions(width, height, FPS, self._settings.sample_rate, 1)

    @property
    def missed(self) -> int:
        """How many pictures of speech were not there in time."""
        return self._playout.missed

    async def push_audio(self, frame: rtc.AudioFrame | AudioSegmentEnd) -> None:
        """Take speech, or the end of an utterance.

        An end returns when the utterance was played or cleared: an avatar runner that hears of the next one before
        would take both for one. Sound waits while much of it is there already.
        """
        epoch = self._epoch
        if isinstance(frame, AudioSegmentEnd):
            self._push(self._converter.flush())
            segment = self._playout.end(self._now_s())
            self._wake()
            if segment is not None:
                await self._wait_until(lambda: segment.is_over)
            return
        pcm = self._converter.push(frame)
        await self._wait_until(lambda: self._playout.held_s < HELD_S or self._epoch != epoch)
        if self._epoch == epoch:
            self._push(pcm)
            self._wake()

    async def clear_buffer(self) -> None:
        """Forget all speech, and be silent at once: nothing of it is given out any more.

        It returns when the piece that was given out last is in the runner's account, so that the played position that
        the runner reports is exact.
        """
        self._epoch += 1
        self._clearing += 1
        self._items.clear()
        self._converter.reset()
        self._playout.clear()
        self._ending.clear()
        self._link.interrupt()
        self._taken.set()
        try:
            with contextlib.suppress(TimeoutError):  # whoever has it is held up, and its account with it
                async with asyncio.timeout(TAKING_TIMEOUT_S):
                    await self._wait_until(lambda: not isinstance(self._given, rtc.AudioFrame))
        finally:
            self._clearing -= 1
            self._changed.set()

    def __aiter__(self) -> LipsyncGenerator:
        return self

    async def __anext__(self) -> Item:
        self._note_taken()
        while not self._is_closed:
            if self._clearing:
                await self._wait_for_change(None)
            elif self._items:
                self._given = self._items.popleft()
                return self._given
            elif isinstance(slot := self._playout.next(self._now_s()), float):
                await self._wait_for_change(slot)
            else:
                await self._fill(slot)
        raise StopAsyncIteration

    def _note_taken(self) -> None:
        """Note that the caller is done with what it was given: it asks for more."""
        if isinstance(self._given, AudioSegmentEnd) and self._ending:
            self._ending.popleft().is_over = True
        self._given = None
        self._taken.set()

    async def _fill(self, slot: Slot) -> None:
        epoch = self._epoch
        frame = await self._frame(slot.picture) if slot.picture is not None else None
        if self._epoch != epoch:
            return
        self._last = frame or self._last
        if self._last is not None and (slot.pcm or slot.ended is None):
            self._items.append(self._last)
        if slot.pcm:
            self._items.append(rtc.AudioFrame(slot.pcm, self._settings.sample_rate, 1, len(slot.pcm) // 2))
        if slot.ended is not None:
            self._ending.append(slot.ended)
            self._items.append(AudioSegmentEnd())

    async def _frame(self, picture: SpeechPicture) -> rtc.VideoFrame | None:
        return await self._faces.frame(picture, timeout_s=SLOT_S)

    def _push(self, pcm: bytes) -> None:
        self._playout.push(pcm, self._now_s())

    def _wake(self) -> None:
        self._link.sound_came()
        self._changed.set()

    async def _wait_until(self, fulfilled: Callable[[], bool]) -> None:
        """Wait for what the caller of the iteration, a clear or the end brings about."""
        while not fulfilled() and not self._is_closed:
            self._taken.clear()
            await self._taken.wait()

    async def _wait_for_change(self, until_s: float | None) -> None:
        """Wait until a time, or until something changed."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until_s):  # wait_for may lose a cancellation before Python 3.12
                await self._changed.wait()

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def _check(sample_rate: int, height: int | None, patience_s: float) -> None:
    if sample_rate % FPS:
        raise InvalidSetting("sample_rate", f"a multiple of {FPS}", sample_rate)
    if height is not None and (height % 2 or not 16 <= height <= 4096):
        raise InvalidSetting("height", "an even number of pixels from 16 to 4096", height)
    if not 0 <= patience_s < math.inf:
        raise InvalidSetting("patience_s", "a number of seconds from 0 on", patience_s)
