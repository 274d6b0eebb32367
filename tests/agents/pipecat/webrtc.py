"""A viewer by WebRTC: aiortc as the browser, and what it hears and sees."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import ifaddr
import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.workers.runner import WorkerRunner

from pipecat_lipsync import LipSyncVideoService
from tests.agents.pipecat.pipeline import WAIT_S, Conversation, Listener

__all__ = ["Viewer", "needs_an_address", "watched"]

QUIET = 300
"""Sound below this, of 32768, is silence."""


def addresses() -> list[str]:
    """Return this machine's IPv4 addresses that WebRTC in Python makes use of: loopback ones are left out."""
    found = [address.ip for adapter in ifaddr.get_adapters() for address in adapter.ips if address.is_IPv4]
    return [ip for ip in found if not ipaddress.ip_address(ip).is_loopback]


needs_an_address = pytest.mark.skipif(not addresses(), reason="WebRTC needs an address besides 127.0.0.1")


@dataclass
class Viewer:
    """What came by WebRTC.

    Attributes:
        pitches: Of each piece of sound, in Hz; 0 in silence.
        sizes: Of each picture, width and height.
    """

    pitches: list[int] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], object]) -> None:
        """Return once a condition is fulfilled."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def take(self, track: MediaStreamTrack) -> None:
        """Take all that comes on a track."""
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if track.kind == "audio":
                    self.pitches.append(pitch_of(frame.to_ndarray(), frame.sample_rate))
                else:
                    self.sizes.append((frame.width, frame.height))
                self._changed.set()


def pitch_of(samples: np.ndarray, rate: int) -> int:
    """Return the pitch of interleaved stereo, by its zero crossings, to the next 100 Hz; 0 for silence."""
    left = samples.reshape(-1)[::2].astype(int)
    if np.abs(left).max() < QUIET:
        return 0
    crossings = np.count_nonzero(np.diff(np.signbit(left)))
    return round(crossings / 2 / (len(left) / rate) / 100) * 100


@contextlib.asynccontextmanager
async def watched(service: LipSyncVideoService) -> AsyncIterator[tuple[Conversation, Viewer]]:
    """Run the service before a real transport, with a viewer at its other end."""
    peer, viewer, tasks = RTCPeerConnection(), Viewer(), []
    peer.on("track", lambda track: tasks.append(asyncio.create_task(viewer.take(track))))
    peer.createDataChannel("messages")
    for kind in ("audio", "video"):
        peer.addTransceiver(kind, direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    connection = SmallWebRTCConnection()
    await connection.initialize(peer.localDescription.sdp, peer.localDescription.type)
    video = {
        "video_out_enabled": True,
        "video_out_width": 320,
        "video_out_height": 320,
        "video_out_framerate": 25,
    }
    transport = SmallWebRTCTransport(connection, TransportParams(audio_out_enabled=True, **video))
    pipeline = Pipeline([transport.input(), service, transport.output()])
    params = PipelineParams(audio_out_sample_rate=16_000)
    worker = PipelineWorker(pipeline, params=params, cancel_on_idle_timeout=False, enable_rtvi=False)
    running = Conversation(worker, Listener())
    running.watch(service)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    tasks.append(asyncio.create_task(runner.run()))
    answer = connection.get_answer()
    await peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
    try:
        yield running, viewer
    finally:
        await worker.cancel()
        await peer.close()
        await asyncio.wait(tasks, timeout=WAIT_S)
