"""Two real peers of WebRTC: the service before Pipecat's transport, and a viewer."""

from __future__ import annotations

import itertools

import numpy as np
from pipecat.frames.frames import InterruptionFrame, TTSStoppedFrame

from tests.agents.conftest import Running
from tests.agents.pipecat.pipeline import said, service_for
from tests.agents.pipecat.webrtc import needs_an_address, watched

OLD, NEW = 300, 800


def whistle(pitch: int, seconds: float) -> np.ndarray:
    """Return a pure tone, (S, 1) int16 at 16 kHz."""
    time_s = np.arange(round(seconds * 16_000)) / 16_000
    return (8_000 * np.sin(2 * np.pi * pitch * time_s)).astype(np.int16).reshape(-1, 1)


@needs_an_address
async def test_a_viewer_hears_nothing_of_what_was_interrupted(bridge: Running) -> None:
    """Pictures come with the sound; once the old sentence is silent after an interruption, it is never heard again."""
    async with watched(service_for(bridge, full_frame=False)) as (running, viewer):
        await running.opened()
        await viewer.until(lambda: viewer.sizes)
        await running.say(*said(whistle(OLD, 6.0)), TTSStoppedFrame())
        await viewer.until(lambda: viewer.pitches.count(OLD) > 5)
        await running.say(InterruptionFrame())
        await viewer.until(lambda: viewer.pitches[-3:] == [0, 0, 0])
        silent = len(viewer.pitches)
        await running.say(*said(whistle(NEW, 1.0)), TTSStoppedFrame())
        await viewer.until(lambda: viewer.pitches.count(NEW) > 20)
        pitches = list(viewer.pitches)
        sizes = set(viewer.sizes)
    assert OLD not in pitches[silent:]
    assert NEW in [pitch for pitch, _ in itertools.groupby(pitches[silent:])]
    assert sizes == {(320, 320)}
