"""A session of live speech without I/O: what is still due, what is over, and how much more sound may be sent."""

from __future__ import annotations

from collections.abc import Iterator

from lipsync_client.errors import (
    InvalidAnswer,
    InvalidSetting,
    LipsyncError,
    Overloaded,
    ServerUnavailable,
    SpeechRefused,
    UnknownModel,
)
from lipsync_client.speech_settings import SpeechSettings
from lipsync_client.speech_wire import (
    FORMATS,
    Ended,
    Fault,
    Interrupted,
    Message,
    SpeechPicture,
    Started,
    encode_control,
    parse_event,
    parse_picture,
)

__all__ = ["SpeechState", "parse_started", "start_message"]

PIECES_PER_S = 4
"""Sound is sent in pieces of a quarter of a second, so that an interruption never waits behind much of it."""

USED_SHARE = 0.5
"""How much of what the bridge can hold is used: beyond, a session without a clock is not read from for a while."""


class SpeechState:
    """What both kinds of session keep account of.

    Args:
        settings: Of the session.
        started: What the bridge said at its start.

    Attributes:
        epoch: What is of an older one is over, and dropped: from the moment on that ``interrupt`` is sent.
        fault: What ended the session, None while it goes on.
        ends_due: Utterances that were ended, and whose ``Ended`` has not come.
        is_interrupting: Whether an interruption is not acknowledged yet.
        sent_samples: The session's samples sent so far: where the next one counts from.
    """

    def __init__(self, settings: SpeechSettings, started: Started) -> None:
        self._settings = settings
        self._samples_per_frame = started.samples_per_frame
        self._held_samples = USED_SHARE * started.held_ms * settings.sample_rate / 1000
        self._quiet_s = settings.answer_timeout_s + started.lead_ms / 1000
        self.sent_samples = 0
        self._shown = 0.0
        self.epoch = started.epoch
        self.fault: LipsyncError | None = None
        self.ends_due = 0
        self.is_interrupting = False

    @property
    def quiet_s(self) -> float:
        """How long the bridge may be quiet while a message is due: pictures that came before their time make it so."""
        return self._quiet_s

    @property
    def is_due(self) -> bool:
        """Whether the bridge must say something without being told anything more."""
        return self._settings.pacing == "real_time" or self.ends_due > 0 or self.is_interrupting

    def pieces(self, pcm: bytes | bytearray | memoryview) -> Iterator[memoryview]:
        """Yield sound in the pieces it is to be sent in.

        Raises:
            InvalidSetting: If it does not consist of whole samples.
        """
        view = memoryview(pcm).cast("B")
        sample_bytes = FORMATS[self._settings.format]
        if len(view) % sample_bytes:
            raise InvalidSetting("the length of pcm", f"a multiple of {sample_bytes} bytes", len(view))
        size = self._settings.sample_rate // PIECES_PER_S * sample_bytes
        return (view[start : start + size] for start in range(0, len(view), size))

    def has_room(self, piece: memoryview) -> bool:
        """Tell whether the bridge can hold one more piece, given the pictures that came."""
        waiting = self.sent_samples - self._shown
        return waiting <= 0 or waiting + self._samples(piece) <= self._held_samples

    def sent(self, piece: memoryview) -> None:
        """Note that a piece of sound was sent."""
        self.sent_samples += self._samples(piece)

    def end(self) -> str:
        """Return the message that ends an utterance."""
        self.ends_due += 1
        return encode_control("end")

    def interrupt(self) -> str:
        """Return the message that begins a new epoch."""
        self.epoch += 1
        self.ends_due = 0
        self.is_interrupting = True
        self._shown = self.sent_samples  # what waits is forgotten
        return encode_control("interrupt")

    def receive(self, message: str | bytes) -> Message | None:
        """Take a message of the bridge; None for one that is over, or unknown.

        Raises:
            LipsyncError: If it says that the session is over, or cannot be read.
        """
        avatar = self._settings.avatar
        if isinstance(message, bytes):
            read: Message | None = parse_picture(avatar, message)
        else:
            read = parse_event(avatar, message)
        if isinstance(read, Fault):
            if read.fatal:
                self.fault = refusal(self._settings, read)
                raise self.fault
            return read
        if read is None or read.epoch < self.epoch:
            return None
        self._note(read)
        return read

    def _note(self, message: Message) -> None:
        if isinstance(message, SpeechPicture) and message.sample is not None:
            self._shown = max(self._shown, message.sample + self._samples_per_frame)
        elif isinstance(message, Ended):
            self._shown = max(self._shown, message.samples)
            self.ends_due = max(0, self.ends_due - 1)
        elif isinstance(message, Interrupted):
            self.epoch = message.epoch
            self.is_interrupting = False

    def _samples(self, piece: memoryview) -> int:
        return len(piece) // FORMATS[self._settings.format]


def start_message(settings: SpeechSettings) -> str:
    """Return the first message of a session."""
    return encode_control(
        "start",
        avatar=settings.avatar,
        sample_rate=settings.sample_rate,
        format=settings.format,
        pacing=settings.pacing,
        low_latency=settings.low_latency,
    )


def parse_started(settings: SpeechSettings, message: str | bytes) -> Started:
    """Read the bridge's answer to the first message.

    Raises:
        Overloaded: If the bridge has no room.
        UnknownModel: If it has no such avatar.
        ServerUnavailable: If no Triton answers the bridge.
        SpeechRefused: If it refuses for any other reason.
        InvalidAnswer: If it answers anything else.
    """
    event = parse_event(settings.avatar, message) if isinstance(message, str) else None
    if isinstance(event, Fault):
        raise refusal(settings, event)
    if not isinstance(event, Started):
        raise InvalidAnswer(settings.avatar, "an event 'started' first", type(event).__name__)
    return event


def refusal(settings: SpeechSettings, fault: Fault) -> LipsyncError:
    """Return the error to raise for a fatal fault."""
    url = str(settings.endpoint)
    if fault.code == "overloaded":
        return Overloaded(url, fault.error)
    if fault.code == "unknown_model":
        return UnknownModel(settings.avatar, url, fault.error)
    if fault.code == "unavailable":
        return ServerUnavailable(url, fault.error, "a Triton behind the bridge")
    return SpeechRefused(url, fault.code, fault.error)
