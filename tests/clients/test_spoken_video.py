"""Videos of an avatar that says a sound, decoded again: pictures, sound, and both together."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync_client import (
    BadSound,
    InvalidAnswer,
    LipsyncError,
    Overloaded,
    ServerError,
    SpeechLost,
    SpeechRefused,
    SpeechTimeout,
)
from lipsync_client.sound_file import SoundFile
from lipsync_client.spoken_video import Spoken, speak
from tests.clients import fake_speech_bridge
from tests.clients.fake_speech_bridge import BOUNDS, FakeSpeechBridge, full_frame
from tests.clients.sounds import beep, names, write_sound

INSIDE = (slice(BOUNDS[1] + 14, BOUNDS[3] - 14), slice(BOUNDS[0] + 14, BOUNDS[2] - 14))
"""Rows and columns well within the picture."""


async def make(url: str, avatar: str, folder: Path, **options: Any) -> Spoken:
    """Make ``out.mp4`` of ``in.wav``."""
    sound = SoundFile(str(folder / "in.wav"))
    return await asyncio.to_thread(speak, url, avatar, sound, folder / "out.mp4", **options)


def decoded(path: Path) -> tuple[list[NDArray[np.uint8]], NDArray[np.float32], int]:
    """Return a video's pictures (BGR), its sound and the sound's rate."""
    with av.open(str(path)) as container:
        pictures = [
            frame.reformat(format="bgr24", src_colorspace="ITU709").to_ndarray()
            for frame in container.decode(video=0)
        ]
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        sound = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        assert frames[0].pts == 0
    return pictures, sound, frames[0].sample_rate


def greys(pictures: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return how bright each face is: the sound's peak there, 0 to 255."""
    return np.array([picture[INSIDE].mean() for picture in pictures])


@pytest.mark.parametrize(
    ("rate", "count"), [(16_000, 32_000), (16_000, 31_999), (16_000, 32_001), (16_000, 1), (44_100, 90_000)]
)
async def test_every_picture_and_all_sound(
    bridge: FakeSpeechBridge, tmp_path: Path, rate: int, count: int
) -> None:
    """There are as many pictures as 40 ms begin in the sound; sound and pictures end within one of them."""
    write_sound(tmp_path / "in.wav", beep(count / rate, rate, 0, 9), rate)
    spoken = await make(bridge.url, "echo", tmp_path)
    expected = -(-count * 25 // rate)
    assert spoken == Spoken(expected, 0)
    with av.open(str(tmp_path / "out.mp4")) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.frames, video.start_time, sound.start_time) == (expected, 0, 0)
        assert video.duration * video.time_base == pytest.approx(expected / 25)
        assert sound.duration * sound.time_base == pytest.approx(count / rate, abs=0.001)
        assert len(list(container.decode(video=0))) == expected
    assert names(tmp_path) == ["in.wav", "out.mp4"]


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
async def test_lips_and_sound_are_together(bridge: FakeSpeechBridge, tmp_path: Path, rate: int) -> None:
    """A tone starts and stops in the sound track when the face lights up and darkens, to the picture."""
    write_sound(tmp_path / "in.wav", beep(3, rate, 1, 2), rate)
    await make(bridge.url, "echo", tmp_path)
    pictures, sound, sound_rate = decoded(tmp_path / "out.mp4")
    bright = np.flatnonzero(greys(pictures) > 60)
    assert (bright[0], bright[-1], len(bright)) == (25, 49, 25)
    loud = np.flatnonzero(np.abs(sound) > 0.25) / sound_rate
    assert loud[0] == pytest.approx(1, abs=0.01)
    assert loud[-1] == pytest.approx(2, abs=0.01)


async def test_faces_lie_in_their_full_frames(bridge: FakeSpeechBridge, tmp_path: Path) -> None:
    """Around each face is the full frame that it belongs to, which is asked for as rarely as can be."""
    write_sound(tmp_path / "in.wav", beep(0.8, 16_000, 0, 9), 16_000)
    await make(bridge.url, "echo", tmp_path)
    pictures, _, _ = decoded(tmp_path / "out.mp4")
    for i, picture in enumerate(pictures):
        place = i % 8
        corner = picture[:8, :8].reshape(-1, 3).mean(axis=0)
        assert np.abs(corner - full_frame(min(place, 8 - place))[0, 0]).max() < 8
    assert sum(bridge.full_frames.values()) <= 8  # of five frames, some twice as they are wanted at once


async def test_pictures_that_were_left_out(bridge: FakeSpeechBridge, tmp_path: Path) -> None:
    """Where the bridge leaves a picture out the one before stays, and those after it keep their places."""
    levels = np.repeat(np.arange(10) / 10, 640).astype(np.float32)
    write_sound(tmp_path / "in.wav", levels, 16_000)
    spoken = await make(bridge.url, "skips", tmp_path)
    assert spoken == Spoken(10, 3)
    pictures, _, _ = decoded(tmp_path / "out.mp4")
    expected = np.array([0, 1, 2, 2, 2, 5, 6, 7, 8, 8]) * 25.5
    assert np.abs(greys(pictures) - expected).max() < 6


async def test_a_long_sound_is_bounded(tmp_path: Path) -> None:
    """However long the sound, the bridge is given no more than it can hold, and progress is told by the picture."""
    write_sound(tmp_path / "in.wav", beep(30, 16_000, 0, 99), 16_000)
    told = []
    async with FakeSpeechBridge(held_ms=2000) as bridge:
        spoken = await make(bridge.url, "echo", tmp_path, progress=lambda: told.append(None))
    assert (spoken.pictures, len(told)) == (750, 750)
    assert bridge.most_held_s <= 1


@pytest.mark.parametrize(
    ("avatar", "error"),
    [
        ("overloaded", Overloaded),
        ("ends", SpeechRefused),
        ("dies", SpeechLost),
        ("babbles", InvalidAnswer),
        ("quiet", SpeechTimeout),
    ],
)
async def test_failures_leave_nothing(
    bridge: FakeSpeechBridge, tmp_path: Path, avatar: str, error: type[LipsyncError]
) -> None:
    """Whatever goes wrong at the bridge is raised; no file is left, and no thread."""
    write_sound(tmp_path / "in.wav", beep(1, 16_000, 0, 9), 16_000)
    with pytest.raises(error):
        await make(bridge.url, avatar, tmp_path, answer_timeout_s=0.3)
    assert names(tmp_path) == ["in.wav"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lipsync")]


async def test_no_full_frames(
    bridge: FakeSpeechBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full frame that cannot be had ends it, with the bridge's words."""
    monkeypatch.setattr(fake_speech_bridge, "FRAME_COUNT", 0)
    monkeypatch.setattr(fake_speech_bridge._Session, "_send_picture", _of_frame_9)
    write_sound(tmp_path / "in.wav", beep(1, 16_000, 0, 9), 16_000)
    with pytest.raises(ServerError, match=r"got 404: no /full_frames/echo/9\.jpg"):
        await make(bridge.url, "echo", tmp_path)
    assert names(tmp_path) == ["in.wav"]


async def _of_frame_9(session: Any, flags: int, sample: int, grey: int) -> None:
    header = fake_speech_bridge.struct.pack("<BBHIIIq4ii4x", 1, 1, flags, 0, 0, 9, sample, *BOUNDS, 4)
    await session._websocket.send(header + fake_speech_bridge.grey_jpeg(grey))


async def test_sound_that_cannot_be_decoded(bridge: FakeSpeechBridge, tmp_path: Path) -> None:
    """A file without samples is an error about the file, not about the session."""
    header = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80>\0\0\0}\0\0\2\0\x10\0data\0\0\0\0"
    (tmp_path / "in.wav").write_bytes(header)
    with pytest.raises(BadSound, match="none that can be decoded"):
        await make(bridge.url, "echo", tmp_path)
    assert names(tmp_path) == ["in.wav"]


async def test_a_sound_that_is_not_used_is_closed(tmp_path: Path, free_port: int) -> None:
    """Where there is no bridge, the sound file is closed nevertheless."""
    write_sound(tmp_path / "in.wav", beep(1, 16_000, 0, 9), 16_000)
    sound = SoundFile(str(tmp_path / "in.wav"))
    url = f"http://127.0.0.1:{free_port}"
    with pytest.raises(LipsyncError):
        await asyncio.to_thread(speak, url, "echo", sound, tmp_path / "out.mp4")
    assert not is_open(tmp_path / "in.wav")


def is_open(path: Path) -> bool:
    """Tell whether this process has a file open."""
    return path.resolve() in {link.resolve() for link in Path("/proc/self/fd").iterdir()}
