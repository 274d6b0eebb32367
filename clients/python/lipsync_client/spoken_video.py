"""Makes a video of an avatar that says a sound: it to the bridge, pictures into full frames, and these to a file."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from av import AudioFrame
from numpy.typing import NDArray

from lipsync_client.errors import ClientClosed, InvalidAnswer
from lipsync_client.full_frames import FullFrames
from lipsync_client.pasting import paste
from lipsync_client.sound_file import HEARD_RATE, SoundFile
from lipsync_client.speech_settings import SpeechSettings, parse_bridge_url
from lipsync_client.speech_sync import SyncSpeechSession, connect_speech_sync
from lipsync_client.speech_wire import FPS, Ended, SpeechPicture
from lipsync_client.video_file import VideoFile, replacing

__all__ = ["Spoken", "speak"]

WORKERS = 4
"""Frames that are put together at a time."""

ANSWER_TIMEOUT_S = 60.0
"""Long: a bridge without a clock asks a busy Triton again and again, and a file can wait."""

SAMPLES_PER_FRAME = HEARD_RATE // FPS
JOIN_TIMEOUT_S = 1.0

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Spoken:
    """What was written.

    Attributes:
        pictures: Of the video.
        repeated: Those of them that the bridge left out, and that show the one before.
    """

    pictures: int
    repeated: int


def speak(
    url: str,
    avatar: str,
    sound: SoundFile,
    path: Path,
    *,
    progress: Callable[[], object] = lambda: None,
    answer_timeout_s: float = ANSWER_TIMEOUT_S,
    root_certificates: str | None = None,
    token: str | None = None,
) -> Spoken:
    """Write a video in which an avatar says a sound; picture i is that of the sound from i·40 ms on.

    Args:
        url: The bridge's.
        avatar: Whose face speaks.
        sound: What it says; it is read to its end and closed.
        path: Of the video, an MP4; it is replaced when the new one is complete.
        progress: Called once a picture.
        answer_timeout_s: Deadline for the bridge's next message, and for a full frame, in seconds.
        root_certificates: PEM file of the authorities to trust instead of the system's, for TLS.
        token: What a bridge that asks for one is shown: a secret of its file, or one that is signed with it.

    Raises:
        BadSound: If the sound cannot be decoded.
        LipsyncError: As ``connect_speech`` and its session.
        OSError: If the file cannot be written.
    """
    settings = SpeechSettings(
        endpoint=parse_bridge_url(url),
        avatar=avatar,
        pacing="none",
        answer_timeout_s=answer_timeout_s,
        root_certificates=root_certificates,
        token=token,
    )
    with ExitStack() as unread:
        unread.callback(sound.close)
        with (
            replacing(path) as temporary,
            connect_speech_sync(
                url,
                avatar,
                pacing="none",
                answer_timeout_s=answer_timeout_s,
                root_certificates=root_certificates,
                token=token,
            ) as session,
        ):
            feeder = _Feeder(sound, session)
            unread.pop_all()
            feeder.start()
            try:
                return _write(temporary, session, feeder, FullFrames(settings), progress)
            except ClientClosed:
                if feeder.error is not None:
                    raise feeder.error from None
                raise
            finally:
                session.close()
                feeder.join(JOIN_TIMEOUT_S)  # a pipe may keep it for longer: nothing waits for that


class _Feeder(threading.Thread):
    """Sends the sound, as fast as the bridge takes it, and hands it on for the video.

    Attributes:
        heard: Sound that was sent, as it was decoded, for the video; what the bridge can hold bounds it.
        error: What stopped it, None while nothing did.
    """

    def __init__(self, sound: SoundFile, session: SyncSpeechSession) -> None:
        super().__init__(name="lipsync-speak", daemon=True)
        self.sound = sound
        self.heard: deque[AudioFrame] = deque()
        self.error: Exception | None = None
        self._session = session

    def run(self) -> None:
        try:
            with closing(self.sound):
                for piece in self.sound.pieces():
                    self.heard.extend(piece.frames)
                    self._session.send(piece.pcm)
            self._session.end()
        except Exception as exc:
            self.error = exc
            self._session.close()


def _write(
    path: Path,
    session: SyncSpeechSession,
    feeder: _Feeder,
    frames: FullFrames,
    progress: Callable[[], object],
) -> Spoken:
    video: VideoFile | None = None
    repeated = 0
    try:
        for frame, is_repeated in _composed(session, frames):
            if video is None:
                height, width = frame.shape[:2]
                video = VideoFile(path, width, height, feeder.sound.track_rate, feeder.sound.track_layout)
            video.write_picture(frame)
            repeated += is_repeated
            while video.lacks_sound and feeder.heard:
                video.write_sound(feeder.heard.popleft())
            progress()
        if video is None:
            raise InvalidAnswer(session.started.avatar, "pictures", "none")
        while feeder.heard:
            video.write_sound(feeder.heard.popleft())
        video.finish()
        return Spoken(video.pictures, repeated)
    finally:
        if video is not None:
            video.close()


def _composed(session: SyncSpeechSession, frames: FullFrames) -> Iterator[tuple[Pixels, bool]]:
    """Yield each frame of the video, and whether it repeats a picture, while the next ones are put together."""
    pending: deque[tuple[Future[Pixels], bool]] = deque()
    avatar = session.started.avatar
    executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="lipsync-paste")
    try:
        for picture, is_repeated in _timeline(session):
            pending.append((executor.submit(_compose, picture, frames, avatar), is_repeated))
            if len(pending) > WORKERS:
                future, was_repeated = pending.popleft()
                yield future.result(), was_repeated
        for future, was_repeated in pending:
            yield future.result(), was_repeated
    finally:
        executor.shutdown(cancel_futures=True)


def _timeline(session: SyncSpeechSession) -> Iterator[tuple[SpeechPicture, bool]]:
    """Yield the picture of each 40 ms of the utterance; where the bridge left one out, the one before it again."""
    place, last = 0, None
    while True:
        message = session.receive()
        if isinstance(message, SpeechPicture) and message.sample is not None:
            last = last or message
            for _ in range(place, round(message.sample / SAMPLES_PER_FRAME)):
                yield last, True
            place, last = round(message.sample / SAMPLES_PER_FRAME) + 1, message
            yield message, False
        elif isinstance(message, Ended):
            for _ in range(place, -(-message.samples // SAMPLES_PER_FRAME)):
                if last is not None:
                    yield last, True
            return


def _compose(picture: SpeechPicture, frames: FullFrames, avatar: str) -> Pixels:
    """Return the whole frame that a picture belongs to, with the picture in it, HxWx3 uint8 BGR."""
    full_frame = _decoded(frames.get(picture.frame_id), avatar)
    return paste(full_frame, _decoded(picture.jpeg, avatar), picture.bounds, picture.border)


def _decoded(jpeg: bytes, avatar: str) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise InvalidAnswer(avatar, "JPEGs that can be decoded", f"{len(jpeg)} bytes that cannot")
    return pixels.astype(np.uint8, copy=False)
