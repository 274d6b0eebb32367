"""Live speech for threads: sound goes in, and the pictures of the face that says it come out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lipsync_client.errors import ClientClosed, LipsyncError, SpeechLost, SpeechTimeout, TransportNotInstalled
from lipsync_client.speech_settings import SpeechSettings, parse_bridge_url
from lipsync_client.speech_state import SpeechState, parse_started, start_message
from lipsync_client.speech_wire import Ended, Interrupted, Message, SpeechPicture, Started, encode_control

if TYPE_CHECKING:
    from lipsync_client.speech_sockets import SyncSocket

__all__ = ["SyncSpeechSession", "connect_speech_sync"]

LAST_WORDS_TIMEOUT_S = 1.0


@contextmanager
def connect_speech_sync(
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
) -> Iterator[SyncSpeechSession]:
    """Open a session of live speech, and close it in every case; arguments and errors as in ``connect_speech``.

    ``with connect_speech_sync("http://localhost:8086", "demo") as session: …``
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
    try:
        from lipsync_client.speech_sockets import open_sync_socket
    except ImportError as exc:
        raise TransportNotInstalled("ws", "speech") from exc
    with open_sync_socket(chosen) as socket:
        session = SyncSpeechSession(chosen, _start(chosen, socket), socket)
        try:
            yield session
        finally:
            session.close()


def _start(settings: SpeechSettings, socket: SyncSocket) -> Started:
    socket.send(start_message(settings))
    timeout_s = settings.start_timeout_s
    try:
        return parse_started(settings, socket.receive(timeout_s))
    except TimeoutError as exc:
        raise SpeechTimeout(str(settings.endpoint), "the start of a session", timeout_s) from exc


class SyncSpeechSession:
    """A session of live speech for threads: one sends while another reads its pictures; otherwise as ``SpeechSession``.

    Attributes:
        started: What the bridge said at the start.
    """

    def __init__(self, settings: SpeechSettings, started: Started, socket: SyncSocket) -> None:
        self.started = started
        self._settings = settings
        self._state = SpeechState(settings, started)
        self._socket = socket
        self._sending = threading.Lock()
        self._changed = threading.Condition()  # holds the lock of the state, too
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

    def send(self, pcm: bytes | bytearray | memoryview) -> None:
        """Send sound of the current utterance; as ``SpeechSession.send``."""
        pieces, epoch = self._state.pieces(pcm), self._state.epoch
        with self._sending:
            for piece in pieces:
                self._wait_for_room(piece)
                with self._changed:
                    if self._state.epoch != epoch:
                        return
                    self._state.sent(piece)
                    self._transmit(piece)

    def end(self) -> None:
        """Say that the utterance is over: its last pictures follow, then ``Ended``."""
        with self._sending, self._changed:
            self._check_open()
            self._note_due()
            self._transmit(self._state.end())

    def interrupt(self) -> None:
        """Forget all sound so far, and be silent at once: no picture of it is yielded any more."""
        with self._changed:
            self._check_open()
            self._note_due()
            self._transmit(self._state.interrupt())
            self._changed.notify_all()

    def ping(self) -> None:
        """Say that the session is still wanted: a bridge ends one that it heard nothing from for some minutes."""
        self._check_open()
        self._transmit(encode_control("ping"))

    def receive(self) -> Message:
        """Return the next message: a picture, or an event; one thread at a time may wait for it."""
        self._check_open()
        self._is_receiving = True
        try:
            while True:
                content = self._next()
                with self._changed:
                    message = self._state.receive(content)
                    self._changed.notify_all()
                if message is not None and not self._is_closed:
                    return message
        except SpeechLost as exc:
            if self._is_closed:
                raise ClientClosed(str(self._settings.endpoint)) from exc
            raise
        finally:
            self._is_receiving = False

    def messages(self) -> Iterator[Message]:
        """Yield pictures and events in their order until the session is closed."""
        while not self._is_closed:
            try:
                message = self.receive()
            except ClientClosed:
                return
            yield message

    def until_ended(self) -> Iterator[SpeechPicture]:
        """Yield pictures until all utterances that were ended are shown, or until an interruption."""
        for message in self.messages():
            if isinstance(message, SpeechPicture):
                yield message
            elif isinstance(message, Interrupted) or (
                isinstance(message, Ended) and not self._state.ends_due
            ):
                return

    def __iter__(self) -> Iterator[SpeechPicture]:
        return (message for message in self.messages() if isinstance(message, SpeechPicture))

    def close(self) -> None:
        """Close the session, from any thread: who waits for a picture, or for room, is told; harmless when repeated."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._socket.close()

    def _next(self) -> str | bytes:
        """Return the next message as it came; the deadline counts only while one is due."""
        quiet_s = self._state.quiet_s
        while True:
            try:
                return self._socket.receive(quiet_s)
            except TimeoutError:
                if self._state.is_due and time.monotonic() - self._due_s >= quiet_s:
                    what = "the next picture or event"
                    raise SpeechTimeout(str(self._settings.endpoint), what, quiet_s) from None

    def _note_due(self) -> None:
        if not self._state.is_due:
            self._due_s = time.monotonic()

    def _wait_for_room(self, piece: memoryview) -> None:
        timeout_s = self._settings.answer_timeout_s
        with self._changed:
            self._check_open()
            while not self._state.has_room(piece):
                if not self._changed.wait(timeout_s):
                    what = "room for more sound (are the pictures read meanwhile?)"
                    raise SpeechTimeout(str(self._settings.endpoint), what, timeout_s)
                self._check_open()

    def _transmit(self, data: str | memoryview) -> None:
        try:
            self._socket.send(data)
        except SpeechLost as exc:
            raise self._reason(exc) from exc

    def _reason(self, lost: SpeechLost) -> LipsyncError:
        """Return why the connection was lost: the bridge may have said so in a message that nobody has read."""
        try:
            while self._state.fault is None and not self._is_receiving:
                self._state.receive(self._socket.receive(LAST_WORDS_TIMEOUT_S))
        except (LipsyncError, TimeoutError):
            pass
        return self._state.fault or lost

    def _check_open(self) -> None:
        if self._state.fault is not None:
            raise self._state.fault
        if self._is_closed:
            raise ClientClosed(str(self._settings.endpoint))
