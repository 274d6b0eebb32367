"""Live speech with asyncio: sound goes in, and the pictures of the face that says it come out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lipsync_client.errors import ClientClosed, LipsyncError, SpeechLost, SpeechTimeout, TransportNotInstalled
from lipsync_client.speech_settings import SpeechSettings, parse_bridge_url
from lipsync_client.speech_state import SpeechState, parse_started, start_message
from lipsync_client.speech_wire import Ended, Interrupted, Message, SpeechPicture, Started, encode_control
from lipsync_client.waiting import within

if TYPE_CHECKING:
    from lipsync_client.speech_sockets import AsyncSocket

__all__ = ["SpeechSession", "connect_speech", "open_speech"]

LAST_WORDS_TIMEOUT_S = 1.0


@asynccontextmanager
async def connect_speech(
    url: str,
    avatar: str,
    *,
    sample_rate: int = 16_000,
    format: str = "s16le",
    pacing: str = "real_time",
    low_latency: bool = False,
    connect_timeout_s: float = 5.0,
    start_timeout_s: float = 30.0,
    answer_timeout_s: float = 10.0,
    root_certificates: str | None = None,
    token: str | None = None,
) -> AsyncIterator[SpeechSession]:
    """Open a session of live speech, and close it in every case.

    ``async with connect_speech("http://localhost:8086", "demo") as session: …``

    Args:
        url: The bridge's, ``http(s)://host:port`` or ``ws(s)://host:port``.
        avatar: Whose face speaks.
        sample_rate: Samples of the sound a second, 8000 to 48000.
        format: ``s16le`` or ``f32le``, mono.
        pacing: ``real_time``: 25 pictures a second, silent ones too; ``none``: those of speech only, as fast as they
            are made and read.
        low_latency: Whether pictures wait for less of the sound to come, and are less exact for it.
        connect_timeout_s: Deadline for opening the connection, in seconds.
        start_timeout_s: Deadline for the session to begin, in seconds.
        answer_timeout_s: Deadline for the bridge's next message while one is due, and for room for more sound, in
            seconds.
        root_certificates: PEM file of the authorities to trust instead of the system's, for TLS.
        token: What a bridge that asks for one is shown: a secret of its file, or one that is signed with it.

    Raises:
        InvalidUrl: If the URL names no bridge.
        InvalidSetting: If a setting has a value it cannot have.
        TransportNotInstalled: If the extra ``speech`` is not installed.
        ServerUnavailable: If no bridge answers, or no Triton behind it.
        SpeechTimeout: If the session does not begin in time.
        UnknownModel: If there is no such avatar.
        Overloaded: If the bridge has no room for the session.
        SpeechRefused: If it refuses for any other reason.
        ServerError: If it refuses a WebSocket at all.
        InvalidAnswer: If it does not speak the protocol.
    """
    chosen = SpeechSettings(
        endpoint=parse_bridge_url(url),
        avatar=avatar,
        sample_rate=sample_rate,
        format=format,
        pacing=pacing,
        low_latency=low_latency,
        connect_timeout_s=connect_timeout_s,
        start_timeout_s=start_timeout_s,
        answer_timeout_s=answer_timeout_s,
        root_certificates=root_certificates,
        token=token,
    )
    async with open_speech(chosen) as session:
        yield session


@asynccontextmanager
async def open_speech(settings: SpeechSettings) -> AsyncIterator[SpeechSession]:
    """Open a session of live speech with settings that are made already, and close it in every case.

    Raises:
        LipsyncError: Whatever ``connect_speech`` raises but for settings.
    """
    try:
        from lipsync_client.speech_sockets import open_async_socket
    except ImportError as exc:
        raise TransportNotInstalled("ws", "speech") from exc
    async with open_async_socket(settings) as socket:
        session = SpeechSession(settings, await _start(settings, socket), socket)
        try:
            yield session
        finally:
            await session.close()


async def _start(settings: SpeechSettings, socket: AsyncSocket) -> Started:
    await socket.send(start_message(settings))
    timeout_s = settings.start_timeout_s
    try:
        return parse_started(settings, await socket.receive(timeout_s))
    except TimeoutError as exc:
        raise SpeechTimeout(str(settings.endpoint), "the start of a session", timeout_s) from exc


class SpeechSession:
    """A session of live speech, for one event loop: one task sends while another reads its pictures.

    ``async for picture in session`` yields pictures until the session is closed; none of an epoch that is over. Only a
    few messages are read ahead: who does not read makes the bridge wait, and then leave pictures out.

    Every method raises ``ClientClosed`` after the session's end, ``SpeechLost`` when the connection breaks off,
    ``SpeechTimeout`` when the bridge does not say what is due, and ``Overloaded``, ``SpeechRefused`` or
    ``ServerUnavailable`` when the bridge ends the session.

    Attributes:
        started: What the bridge said at the start.
    """

    def __init__(self, settings: SpeechSettings, started: Started, socket: AsyncSocket) -> None:
        self.started = started
        self._settings = settings
        self._state = SpeechState(settings, started)
        self._socket = socket
        self._sending = asyncio.Lock()
        self._changed = asyncio.Event()
        self._due_s = time.monotonic()
        self._is_receiving = False
        self._is_closed = False

    @property
    def epoch(self) -> int:
        """How many interruptions there were; pictures of an older epoch are over."""
        return self._state.epoch

    @property
    def sent_samples(self) -> int:
        """How many samples were sent so far: a picture's ``sample`` counts these, over all utterances."""
        return self._state.sent_samples

    async def send(self, pcm: bytes | bytearray | memoryview) -> None:
        """Send sound of the current utterance, mono, whole samples, of any length.

        It waits while the bridge holds as much sound as it can, so pictures have to be read meanwhile. What an
        interruption finds not sent yet is forgotten, too.

        Raises:
            InvalidSetting: If ``pcm`` does not consist of whole samples.
        """
        pieces, epoch = self._state.pieces(pcm), self._state.epoch
        async with self._sending:
            for piece in pieces:
                await self._wait_for_room(piece)
                if self._state.epoch != epoch:
                    return
                self._state.sent(piece)
                await self._transmit(piece)

    async def end(self) -> None:
        """Say that the utterance is over: its last pictures follow, then ``Ended``."""
        async with self._sending:
            self._check_open()
            self._note_due()
            await self._transmit(self._state.end())

    async def interrupt(self) -> None:
        """Forget all sound so far, and be silent at once: no picture of it is yielded any more."""
        self._check_open()
        self._note_due()
        message = self._state.interrupt()
        self._changed.set()
        await self._transmit(message)

    async def ping(self) -> None:
        """Say that the session is still wanted: a bridge ends one that it heard nothing from for some minutes."""
        self._check_open()
        await self._transmit(encode_control("ping"))

    async def receive(self) -> Message:
        """Return the next message: a picture, or an event; one task at a time may wait for it."""
        self._check_open()
        self._is_receiving = True
        try:
            while True:
                message = self._state.receive(await self._next())
                self._changed.set()
                if message is not None and not self._is_closed:
                    return message
        except SpeechLost as exc:
            if self._is_closed:
                raise ClientClosed(str(self._settings.endpoint)) from exc
            raise
        finally:
            self._is_receiving = False

    async def messages(self) -> AsyncIterator[Message]:
        """Yield pictures and events in their order until the session is closed."""
        while not self._is_closed:
            try:
                message = await self.receive()
            except ClientClosed:
                return
            yield message

    async def until_ended(self) -> AsyncIterator[SpeechPicture]:
        """Yield pictures until all utterances that were ended are shown, or until an interruption."""
        async for message in self.messages():
            if isinstance(message, SpeechPicture):
                yield message
            elif isinstance(message, Interrupted) or (
                isinstance(message, Ended) and not self._state.ends_due
            ):
                return

    def __aiter__(self) -> SpeechSession:
        return self

    async def __anext__(self) -> SpeechPicture:
        while not self._is_closed:
            try:
                message = await self.receive()
            except ClientClosed:
                break
            if isinstance(message, SpeechPicture):
                return message
        raise StopAsyncIteration

    async def close(self) -> None:
        """Close the session: a task that waits for a picture, or for room, is told; harmless when repeated."""
        self._is_closed = True
        self._changed.set()
        await self._socket.close()

    async def _next(self) -> str | bytes:
        """Return the next message as it came; the deadline counts only while one is due."""
        quiet_s = self._state.quiet_s
        while True:
            try:
                return await self._socket.receive(quiet_s)
            except TimeoutError:
                if self._state.is_due and time.monotonic() - self._due_s >= quiet_s:
                    what = "the next picture or event"
                    raise SpeechTimeout(str(self._settings.endpoint), what, quiet_s) from None

    def _note_due(self) -> None:
        if not self._state.is_due:
            self._due_s = time.monotonic()

    async def _wait_for_room(self, piece: memoryview) -> None:
        self._check_open()
        timeout_s = self._settings.answer_timeout_s
        while not self._state.has_room(piece):
            self._changed.clear()
            try:
                await within(self._changed.wait(), timeout_s)
            except TimeoutError as exc:
                what = "room for more sound (are the pictures read meanwhile?)"
                raise SpeechTimeout(str(self._settings.endpoint), what, timeout_s) from exc
            self._check_open()

    async def _transmit(self, data: str | memoryview) -> None:
        try:
            await self._socket.send(data)
        except SpeechLost as exc:
            raise await self._reason(exc) from exc

    async def _reason(self, lost: SpeechLost) -> LipsyncError:
        """Return why the connection was lost: the bridge may have said so in a message that nobody has read."""
        try:
            while self._state.fault is None and not self._is_receiving:
                self._state.receive(await self._socket.receive(LAST_WORDS_TIMEOUT_S))
        except (LipsyncError, TimeoutError):
            pass
        return self._state.fault or lost

    def _check_open(self) -> None:
        if self._state.fault is not None:
            raise self._state.fault
        if self._is_closed:
            raise ClientClosed(str(self._settings.endpoint))
