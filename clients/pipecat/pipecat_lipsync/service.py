"""The service: speech of a pipeline goes in, and comes out again beside the pictures of the face that says it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    ControlFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    OutputImageRawFrame,
    OutputTransportReadyFrame,
    StartFrame,
    SystemFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.ai_service import AIService
from pipecat.services.settings import ServiceSettings
from pipecat.utils.errors import ErrorCategory

from lipsync_client import (
    Ended,
    Fault,
    LipsyncError,
    ServerUnavailable,
    SpeechLost,
    SpeechPicture,
    SpeechSession,
    SpeechTimeout,
)
from lipsync_client.speech_settings import SpeechSettings, parse_bridge_url
from lipsync_client.speech_wire import Message
from pipecat_lipsync.held import HeldSound
from pipecat_lipsync.link import Link
from pipecat_lipsync.pictures import Pictures
from pipecat_lipsync.playing import Playing
from pipecat_lipsync.sound import Sound, Voice

__all__ = ["LipSyncVideoService"]

CLOSE_TIMEOUT_S = 5.0
"""The bridge has two seconds to close its side."""


@dataclass
class _Overtaken(ControlFrame):
    """Comes behind all that an interruption overtook on its way into the service."""

    interruptible: bool = field(default=False, init=False)


class LipSyncVideoService(AIService):
    """A face for a voice agent: stands before ``transport.output()``.

    Speech (``TTSAudioRawFrame``) is held back until its picture is there. Every 40 ms of it come out as an
    ``OutputImageRawFrame`` and the sound that belongs to it; frames that follow speech keep their place behind it.
    Between utterances the face looks about with its mouth shut. While there is no bridge, speech passes through.

    Event handlers: ``on_connected`` and ``on_disconnected``, called with the service when a session begins and is lost.

    Args:
        url: The bridge's, ``http(s)://host:port``.
        avatar: Whose face speaks.
        token: What a bridge that asks for one is shown.
        full_frame: Whether pictures are whole frames of the avatar's clip, or the face alone.
        low_latency: Whether pictures wait for less of the sound to come, and are a little less exact for it.
        pacing: ``real_time``, or ``none`` for a pipeline that plays to nobody: every picture, as fast as it is made.
        sample_rate: Samples a second of the sound that is given back; by default the pipeline's.
        picture_timeout_s: After so long without the picture that is due, sound goes on without it, in seconds.
        root_certificates: PEM file of the authorities to trust instead of the system's, for TLS.
        settings: Pipecat's; ``model`` is the avatar unless it is given.
        **kwargs: Of ``AIService``.

    Raises:
        InvalidUrl: If the URL names no bridge.
        InvalidSetting: If a setting has a value it cannot have.
    """

    def __init__(
        self,
        *,
        url: str = "http://localhost:8086",
        avatar: str = "demo",
        token: str | None = None,
        full_frame: bool = True,
        low_latency: bool = False,
        pacing: str = "real_time",
        sample_rate: int | None = None,
        picture_timeout_s: float = 2.0,
        root_certificates: str | None = None,
        settings: ServiceSettings | None = None,
        **kwargs: Any,
    ) -> None:
        chosen = ServiceSettings(model=avatar)
        if settings is not None:
            chosen.apply_update(settings)
        super().__init__(settings=chosen, **kwargs)
        self._session_settings = SpeechSettings(
            endpoint=parse_bridge_url(url),
            avatar=avatar,
            sample_rate=sample_rate or 16_000,
            pacing=pacing,
            low_latency=low_latency,
            root_certificates=root_certificates,
            token=token,
        )
        self._sample_rate = sample_rate
        self._full_frame = full_frame
        self._playing = Playing(picture_timeout_s)
        self._register_event_handler("on_connected")
        self._register_event_handler("on_disconnected")
        self._out = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._link: Link
        self._pictures: Pictures
        self._voice: Voice
        self._held: HeldSound
        self._resting: OutputImageRawFrame | None = None
        self._shows_idle = False
        self._is_speaking = False
        self._is_troubled = False
        self._interruption_id = 0
        self._overtaking = 0

    def can_generate_metrics(self) -> bool:
        """Tell that the time to the first byte is measured: from an utterance's first sound to its first picture."""
        return True

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]  # as Pipecat's own does
        """Learn the rate at which the pipeline plays."""
        await super().setup(setup)
        rate = self._sample_rate or setup.audio_out_sample_rate
        settings = dataclasses.replace(self._session_settings, sample_rate=rate)
        self._link = Link(settings, self)
        self._pictures = Pictures(settings, full_frame=self._full_frame)
        self._voice = Voice(rate)
        self._held = HeldSound(rate)
        self._playing.rate = rate

    async def start(self, frame: StartFrame) -> None:
        """Connect, and stay connected."""
        await super().start(frame)
        self._tasks = [self.create_task(self._link.run()), self.create_task(self._watch())]

    async def stop(self, frame: EndFrame) -> None:
        """Play out what is held, then disconnect."""
        await super().stop(frame)
        await self._end_utterance()
        await self._playing.emptied.wait()
        await self._close()

    async def cancel(self, frame: CancelFrame) -> None:
        """Disconnect at once."""
        await super().cancel(frame)
        await self._close()

    async def cleanup(self) -> None:
        """Disconnect, whatever came before."""
        await super().cleanup()  # type: ignore[no-untyped-call]  # Pipecat's are not typed throughout
        await self._close()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take speech in, keep in its place what follows it, and forget both when interrupted."""
        if isinstance(frame, InterruptionFrame):
            await self._cancel_measuring()  # else what was interrupted is measured as if it had been seen
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            await self._interrupt(frame, direction)
        elif direction == FrameDirection.UPSTREAM or isinstance(frame, SystemFrame):
            self._shows_idle = self._shows_idle or isinstance(frame, OutputTransportReadyFrame)
            await self.push_frame(frame, direction)
        elif isinstance(frame, _Overtaken):
            self._overtaking -= 1
        elif self._is_stale(frame):
            logger.debug(f"{self}: {frame} is of what was interrupted")
        elif isinstance(frame, TTSAudioRawFrame):
            await self._hear(frame)
        else:
            if isinstance(frame, TTSStoppedFrame):
                await self._end_utterance()
            await self._follow(frame)

    async def opened(self, session: SpeechSession) -> None:
        """Take note that a session has begun; see ``Listener``."""
        logger.debug(f"{self}: session {session.started.session} with {session.started.avatar}")
        self._held.begin_after(session.epoch)
        await self._call_event_handler("on_connected")

    async def received(self, message: Message) -> None:
        """Take a message of the session; see ``Listener``."""
        if isinstance(message, SpeechPicture):
            await self._show(message)
        elif isinstance(message, Ended):
            async with self._out:
                if message.epoch == self._held.epoch:
                    await self._push(self._held.take(message.samples))
        elif isinstance(message, Fault):
            await self._report(message.error, None)

    def stalled(self) -> None:
        """End an utterance whose sound broke off; see ``Listener``."""
        self._held.end()
        self._link.end()

    async def lost(self, error: Exception) -> None:
        """Let go of what waits for pictures that will not come; see ``Listener``."""
        await self._report(str(error), error)
        await self._call_event_handler("on_disconnected")
        await self._pass_on()
        if self._resting is not None:
            async with self._out:
                await self.push_frame(self._resting)

    async def _hear(self, frame: TTSAudioRawFrame) -> None:
        if not self._is_speaking:
            self._is_speaking = self._shows_idle = True
            await self.start_ttfb_metrics()
        await self._hold(self._voice.hear(frame))

    async def _hold(self, sounds: list[Sound]) -> None:
        for sound in sounds:
            self._held.add_sound(sound)
            self._playing.waits(self._held.samples)
            if self._link.is_open:
                self._link.say(sound.mono)
        if not self._link.is_open:
            await self._pass_on()

    async def _end_utterance(self) -> None:
        await self._hold(self._voice.end())
        self._held.end()
        self._link.end()
        self._is_speaking = False

    async def _follow(self, frame: Frame) -> None:
        """Push a frame when all sound before it was pushed."""
        async with self._out:
            self._held.add_frame(frame)
            await self._push(self._held.take(self._held.position))

    async def _interrupt(self, frame: Frame, direction: FrameDirection) -> None:
        held, self._held = self._held, HeldSound(self._playing.rate)
        kept = held.uninterruptible()
        self._voice.forget()
        self._link.interrupt(self._held.begin)
        self._is_speaking = False
        self._interruption_id = frame.id
        self._overtaking += 1
        await self.queue_frame(_Overtaken())
        async with self._out:
            await asyncio.sleep(
                0
            )  # what was pushed before has to leave the next one's queue, where this frame overtakes
            await self.push_frame(frame, direction)
            self._playing.stops()
            await self._push(kept)

    async def _show(self, picture: SpeechPicture) -> None:
        if picture.sample is None and not self._shows_idle:
            return  # no transport would take it yet
        image = await self._image(picture)
        async with self._out:
            if picture.epoch != self._held.epoch:
                return
            if picture.sample is None:
                self._resting = image or self._resting
                await self._push([image] if image else [])
            elif not self._held.is_over(picture.sample):
                await self._push(self._held.take(picture.sample))  # sound whose pictures were left out
                await self._push([image] if image else [])
                await self._push(self._held.take(self._held.picture_end(picture.sample)))
                await self.stop_ttfb_metrics()

    async def _image(self, picture: SpeechPicture) -> OutputImageRawFrame | None:
        """Return a picture as a frame; None where that fails, which is reported."""
        try:
            image = await self._pictures.frame_of(picture)
        except LipsyncError as exc:
            await self._report(str(exc), exc)
            return None
        if self._is_troubled:
            self._is_troubled = False
            logger.info(f"{self}: pictures come again")
        return image

    async def _watch(self) -> None:
        """Let sound go whose picture does not come."""
        while True:
            await self._playing.overdue()
            await self._report(
                f"expected the next picture within {self._playing.timeout_s:g} s, got none", None
            )
            await self._pass_on()

    async def _pass_on(self) -> None:
        """Push all that is held, without pictures."""
        await self._cancel_measuring()
        async with self._out:
            await self._push(self._held.take_all())

    async def _cancel_measuring(self) -> None:
        await self.cancel_ttfb_metrics()  # type: ignore[no-untyped-call]  # as above

    async def _push(self, frames: Iterable[Frame]) -> None:
        """Push frames in a row; who calls this holds the lock."""
        for frame in frames:
            if isinstance(frame, TTSAudioRawFrame):
                self._playing.plays(frame.num_frames)
            await self.push_frame(frame)
        self._playing.waits(self._held.samples)

    async def _report(self, sentence: str, error: Exception | None) -> None:
        """Push one error for each time of trouble, however often it is met before a picture comes again.

        None is for good, whatever it is: the voice goes on without a face, which may come back.
        """
        if self._is_troubled:
            return
        self._is_troubled = True
        category = ErrorCategory.SERVER
        if error is None or isinstance(error, (ServerUnavailable, SpeechLost, SpeechTimeout)):
            category = (
                ErrorCategory.CONNECTIVITY
            )  # none that is for good: the voice goes on, and the face may come back
        await self.push_error(sentence, exception=error, category=category)

    def _is_stale(self, frame: Frame) -> bool:
        """Tell whether a frame was made before the last interruption, which overtook it on its way here."""
        return self._overtaking > 0 and frame.interruptible and frame.id < self._interruption_id

    async def _close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            await self.cancel_task(task, CLOSE_TIMEOUT_S)
