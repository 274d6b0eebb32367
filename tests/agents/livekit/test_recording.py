"""livekit/plugins/lipsync/recording.py, and the example that records with it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from livekit import rtc
from livekit.plugins.lipsync.recording import recorded

from tests.agents.conftest import Running
from tests.agents.livekit.stage import ROOT


def read(path: Path) -> tuple[int, np.ndarray]:
    """Return how many pictures a video has, and its sound, at 48 kHz."""
    with av.open(str(path)) as file:
        pictures = sum(1 for _ in file.decode(video=0))
    with av.open(str(path)) as file:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    return pictures, sound


async def test_published_tracks_are_written(tmp_path: Path) -> None:
    """What is captured is in the video, a picture for each 40 ms of sound."""
    path = tmp_path / "out.mp4"
    async with recorded(path) as room:
        assert room.isconnected()
        source, screen = rtc.AudioSource(16_000, 1, 100), rtc.VideoSource(64, 48)
        for track in (
            rtc.LocalAudioTrack.create_audio_track("sound", source),
            rtc.LocalVideoTrack.create_video_track("pictures", screen),
        ):
            publication = await room.local_participant.publish_track(track, None)
            await publication.wait_for_subscription()
        frame = rtc.VideoFrame(64, 48, rtc.VideoBufferType.I420, bytes([180]) * (64 * 72))
        tone = (9000 * np.sin(np.arange(16_000) / 5)).astype(np.int16)
        for start in range(0, len(tone), 640):
            screen.capture_frame(frame)
            await source.capture_frame(rtc.AudioFrame(tone[start : start + 640].tobytes(), 16_000, 1, 640))
        await source.wait_for_playout()
    pictures, sound = read(path)
    assert pictures == pytest.approx(len(sound) / 1920, abs=2)
    loud = np.flatnonzero(np.abs(sound) > 0.05)
    assert (loud[-1] - loud[0]) / 48_000 == pytest.approx(1.0, abs=0.3)


async def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither a video nor a part of one."""
    with pytest.raises(RuntimeError):
        async with recorded(tmp_path / "out.mp4"):
            raise RuntimeError
    assert not any(tmp_path.glob("*"))  # noqa: ASYNC240


async def test_the_example(bridge: Running, tmp_path: Path) -> None:
    """As its README has it, it makes a video in which the whole sound is heard, with pictures."""
    sound = ROOT / "demo" / "recordings" / "heldout.wav"
    example = ROOT / "clients" / "livekit" / "examples" / "speaker.py"
    process = await asyncio.create_subprocess_exec(
        sys.executable, example, sound, tmp_path / "out.mp4", bridge.url
    )
    assert await process.wait() == 0
    pictures, heard = read(tmp_path / "out.mp4")
    loud = np.flatnonzero(np.abs(heard) > 0.02)
    assert (loud[-1] - loud[0]) / 48_000 == pytest.approx(10.4, abs=0.5)
    assert pictures == pytest.approx(len(heard) / 1920, abs=2)
