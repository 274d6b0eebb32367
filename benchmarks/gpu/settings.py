"""What one run measures, and on what: one frozen object, which every step's process is handed as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from export.contract import MAX_BATCH_SIZE

__all__ = ["CUDA", "DEVICES", "FULL_MINUTES", "STAND_IN", "BadSetting", "Settings", "settings_for"]

CUDA, STAND_IN = "cuda", "cpu-stand-in"
DEVICES = (CUDA, STAND_IN)
FULL_MINUTES = 8.0
LEAST_MINUTES = 0.2
LEAST_WINDOW_S = STAND_IN_WINDOW_S = 0.2


class BadSetting(BenchmarkError):
    """Raised when a setting cannot work."""

    def __init__(self, key: str, expected: str, got: object) -> None:
        self.key, self.expected, self.got = key, expected, got

    def __str__(self) -> str:
        return f"{self.key}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one run measures.

    Attributes:
        site: The folder that holds what is measured: networks, avatars, engines, model repositories.
        device: ``cuda``, or ``cpu-stand-in``: the same steps on a CPU, small enough for a test.
        avatar: Whose network is computed: ``wide``, ``half`` or ``demo``.
        minutes: All steps together.
        window_s: One measurement.
        batch_sizes: Of the engine alone, the most important first, as time may run out.
        largest_batch: What engines are built for: at least what Triton's models take.
        callers: At once, end to end.
        busy: Callers where instances are compared.
        instances: Of the network, to compare.
        sessions: Live ones: how many to begin with, and how many at most.
        utterance_s: How long a live session speaks.
        strategies: Besides ``hybrid``, the most important first.
        rate: Frames per second that are asked for in the open loop, ready or not.
        frames: Pictures that are compared with the CPU's.
    """

    site: str
    device: str = CUDA
    avatar: str = "wide"
    minutes: float = FULL_MINUTES
    window_s: float = 1.0
    batch_sizes: tuple[int, ...] = (16, 1, 8, 32, 4, 64, 2)
    largest_batch: int = 64
    callers: tuple[int, ...] = (64, 1, 128, 16, 256)
    busy: int = 128
    instances: tuple[int, ...] = (1, 2, 4, 8)
    sessions: tuple[int, int] = (25, 400)
    utterance_s: float = 4.0
    strategies: tuple[str, ...] = ("batching", "latency", "multi_instance", "replay")
    rate: float = 1000.0
    frames: int = 4

    def __post_init__(self) -> None:
        """Check what would otherwise fail late.

        Raises:
            BadSetting: If a value cannot work.
        """
        if self.device not in DEVICES:
            raise BadSetting("--device", f"one of {', '.join(DEVICES)}", self.device)
        if not self.minutes >= LEAST_MINUTES:
            raise BadSetting("--minutes", f"{LEAST_MINUTES:g} or more", f"{self.minutes:g}")

    @property
    def has_card(self) -> bool:
        """Whether it is a GPU that is measured."""
        return self.device == CUDA

    @property
    def folder(self) -> Path:
        """The site."""
        return Path(self.site)

    def to_json(self) -> str:
        """Return the object as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Return what ``to_json`` wrote."""
        fields: dict[str, Any] = json.loads(text)
        for key, value in fields.items():
            fields[key] = tuple(value) if isinstance(value, list) else value
        return cls(**fields)


def settings_for(device: str, site: Path, avatar: str, minutes: float) -> Settings:
    """Return the settings of a run: windows shrink with the minutes, and a stand-in for a card gets little to do.

    Raises:
        BadSetting: If a value cannot work.
    """
    settings = Settings(site=str(site), device=device, avatar=avatar, minutes=minutes)
    window_s = max(LEAST_WINDOW_S, min(1.0, minutes / FULL_MINUTES))
    settings = replace(settings, window_s=window_s, utterance_s=max(1.0, 4 * window_s))
    if settings.has_card:
        return settings
    return replace(
        settings,
        window_s=STAND_IN_WINDOW_S,
        utterance_s=1.5,
        batch_sizes=(2, 1),
        largest_batch=MAX_BATCH_SIZE,
        strategies=("latency", "replay"),
        callers=(4, 1),
        busy=4,
        instances=(1, 2),
        sessions=(1, 2),
        rate=5.0,
        frames=2,
    )
