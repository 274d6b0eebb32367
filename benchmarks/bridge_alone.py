"""What live speech costs the bridge itself: its processor time, in front of a Triton that computes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.baselines import stand_in
from benchmarks.baselines.process import running
from benchmarks.errors import LoadFailed
from benchmarks.speakers import MICROPHONE, speak
from benchmarks.table import Row
from benchmarks.triton import running_bridge
from speech.contract import FPS

__all__ = ["LIVE_OPTIONS", "BridgeAlone", "measure_bridge_alone"]

LIVE_OPTIONS = (
    *("--speech-admission", "off"),
    *("--speech-sessions-max", "10000"),
    *("--speech-sessions-per-client", "10000"),
    *("--speech-timeout-s", "30"),
)
"""A bridge that admits whoever comes, and waits for a slow Triton: how many it may be is what is measured."""


@dataclass(frozen=True)
class BridgeAlone:
    """What one bridge process used while sessions spoke.

    Attributes:
        sessions: At once.
        expected: Pictures whose sound was sent.
        pictures: Those that came.
        cpu_s: Seconds of a core.
    """

    sessions: int
    expected: int
    pictures: int
    cpu_s: float

    @property
    def cpu_ms_per_picture(self) -> float:
        """Milliseconds of a core for each speaking picture, with all that goes with it."""
        return self.cpu_s * 1000 / self.pictures

    @property
    def sessions_per_core(self) -> float:
        """How many sessions, all speaking, a core carries."""
        return 1000 / (self.cpu_ms_per_picture * FPS)

    def rows(self) -> list[Row]:
        """Return the one row."""
        return [
            {
                "sessions": self.sessions,
                "pictures": self.pictures,
                "skipped": self.expected - self.pictures,
                "cpu_s": self.cpu_s,
                "cpu_ms a picture": self.cpu_ms_per_picture,
                "sessions a core": self.sessions_per_core,
            }
        ]


async def measure_bridge_alone(sessions: int, seconds: float, utterances: int) -> BridgeAlone:
    """Have sessions speak from the microphone; processor time says the same on a busy machine as on an idle one.

    Raises:
        LoadFailed: If a session is refused or ends, or no picture comes.
    """
    with running("the stand-in for Triton", ["-m", "benchmarks.baselines.stand_in"]) as port:
        async with running_bridge(f"127.0.0.1:{port}", *LIVE_OPTIONS) as bridge:
            await speak(bridge.port, stand_in.AVATAR, 1, MICROPHONE, seconds, 1)  # warms its code
            before_s = bridge.cpu_s()
            heard = await speak(bridge.port, stand_in.AVATAR, sessions, MICROPHONE, seconds, utterances)
            used_s = bridge.cpu_s() - before_s
    if not heard.pictures:
        raise LoadFailed("the bridge alone", "none")
    return BridgeAlone(sessions, heard.expected, heard.pictures, used_s)
