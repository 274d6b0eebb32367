"""From one cell to 1,000 Tritons: counts, the road's limits, and money. Cells share nothing, so this is arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.simulation.cell import BRIDGE_SHARE, Carried
from benchmarks.simulation.parameters import Parameters
from benchmarks.table import Row
from bridge.config import BridgeConfig
from bridge.settings.upstream import MAX_UPSTREAMS
from speech.contract import FPS

__all__ = ["Plan", "avatars_in_memory", "plan_of", "random_share"]

MOST_REFUSED = 0.01
BITS = 8
GIGA = 1e9
SECONDS_PER_H = 3600


@dataclass(frozen=True)
class Plan:
    """A fleet of conversations: live sessions whose avatar speaks for a part of the time.

    Attributes:
        found: One cell.
        known: The parameters.
        tritons: How many in all.
    """

    found: Carried
    known: Parameters
    tritons: int

    @property
    def cell_tritons(self) -> int:
        """How many Tritons a cell of the fleet has; each carries what each of the simulated cell's does."""
        return min(self.tritons, round(self.known[self.found.machine.cell_tritons]))

    @property
    def cells(self) -> int:
        """How many cells."""
        return math.ceil(self.tritons / self.cell_tritons)

    @property
    def speaking(self) -> int:
        """Sessions that may speak at once."""
        return math.floor(self.tritons * self.found.per_triton)

    @property
    def sessions(self) -> int:
        """Sessions in which the avatar speaks for its share of the time."""
        return math.floor(self.speaking / self.known["speech_share"])

    @property
    def bridge_core_s(self) -> float:
        """Core seconds a second that one session takes of a bridge."""
        known = self.known
        speaks = known["speech_share"]
        pictures_s = speaks * known["bridge_picture_core_s"] + (1 - speaks) * known["bridge_silent_core_s"]
        return FPS * pictures_s

    @property
    def bridges(self) -> int:
        """Bridge processes, each with a core."""
        per_cell = self.sessions * self.bridge_core_s / BRIDGE_SHARE / self.cells
        return self.cells * math.ceil(per_cell)

    @property
    def connections(self) -> int:
        """GRPC connections between bridges and Tritons."""
        return self.bridges * self.cell_tritons

    @property
    def session_bits_per_s(self) -> float:
        """What one session's pictures are on the road."""
        return FPS * self.known["live_picture_bytes"] * BITS

    @property
    def series(self) -> int:
        """What Prometheus keeps."""
        known, seen = self.known, self.cell_tritons
        of_bridge = known["bridge_series"] + seen * known["bridge_series_per_upstream"]
        return round(self.bridges * of_bridge + self.tritons * known["triton_series"])

    @property
    def usd_per_h(self) -> float:
        """Machines, without what leaves the cloud."""
        known = self.known
        return self.tritons * known[self.found.machine.usd_per_h] + self.bridges * known["core_usd_per_h"]

    @property
    def egress_usd_per_session_h(self) -> float:
        """What a session's pictures cost on their way out of the cloud."""
        gigabytes = self.session_bits_per_s / BITS * SECONDS_PER_H / GIGA
        return gigabytes * self.known["egress_usd_per_gb"]

    @property
    def random_share(self) -> float:
        """How full bridges may be where each client picks one at random; 1.0 where there is only one."""
        per_bridge = math.floor(self.sessions / self.bridges)
        return random_share(per_bridge, MOST_REFUSED) if self.bridges > 1 else 1.0

    @property
    def viewers(self) -> int:
        """Viewers of cached clips that as many bridges carry instead."""
        return math.floor(self.bridges * BRIDGE_SHARE / (FPS * self.known["bridge_cached_core_s"]))

    def row(self) -> Row:
        """Return the fleet's row."""
        return {
            "Tritons": self.tritons,
            "of": self.found.machine.name,
            "cells": self.cells,
            "speaking at once": self.speaking,
            "conversations": self.sessions,
            "if bridges are chosen at random": math.floor(self.sessions * self.random_share),
            "or viewers of cached clips": self.viewers,
            "bridges": self.bridges,
            "gRPC connections": self.connections,
            "Gbit/s out": self.sessions * self.session_bits_per_s / GIGA,
            "Prometheus series": self.series,
            "avatars a Triton holds": avatars_in_memory(self.known, is_gpu=self.found.machine.gpus > 0),
            "USD/h": self.usd_per_h,
            "USD a session and h": self.usd_per_h / max(1, self.sessions),
            "USD of egress a session and h": self.egress_usd_per_session_h,
        }

    def limits(self) -> dict[str, float]:
        """Return how far each limit is used, 1.0 being all of it, where the fleet is one flat group and by default."""
        known, config = self.known, BridgeConfig()
        per_bridge = self.sessions / self.bridges
        per_machine = per_bridge * known["bridge_machine_cores"]
        wanted = self.found.sessions / known["speech_share"]
        return {
            "Tritons' networks": 1.0,
            "bridges' cores, one worker a cell": self.sessions * self.bridge_core_s / self.cells,
            "sessions that `measured` admits": wanted / self.found.admitted,
            "Tritons that one bridge knows, without cells": self.tritons / MAX_UPSTREAMS,
            "`BRIDGE_SPEECH_SESSIONS_MAX`": self.sessions / self.cells / config.speech_sessions_max,
            "network interface of a machine of bridges": per_machine
            * self.session_bits_per_s
            / known["network_bits_per_s"],
            "one Prometheus": self.series / known["prometheus_series_most"],
        }


def plan_of(cells: Sequence[Carried], known: Parameters, tritons: int) -> Plan:
    """Return a plan of so many Tritons in cells like one of those that were simulated, all of one kind.

    It is the one whose size is next to what is planned with, and no larger than the fleet.
    """
    wanted = min(tritons, known[cells[0].machine.cell_tritons])
    return Plan(min(cells, key=lambda cell: abs(cell.tritons - wanted)), known, tritons)


def avatars_in_memory(known: Parameters, *, is_gpu: bool) -> int:
    """Return how many avatars one Triton has room for."""
    faces_bytes = known["avatar_frames"] * known["face_bytes"]
    if is_gpu:
        room = known["gpu_memory_bytes"] - known["gpu_reserved_bytes"]
        return math.floor(room / known["gpu_avatar_bytes"])
    one_bytes = known["triton_memory_bytes"] - known["cache_bytes"]
    return math.floor((known["cpu_host_memory_bytes"] - known["cache_bytes"]) / (one_bytes + faces_bytes))


def random_share(capacity: int, most_refused: float) -> float:
    """Return how full bridges may be on average where clients choose one at random, and are refused where it is full.

    The sessions of one of many bridges are Poisson distributed; the refused share is the mean excess over the capacity.
    """
    low, high = 0.0, 1.0
    for _ in range(40):
        share = (low + high) / 2
        low, high = (share, high) if _excess(capacity, share * capacity) <= most_refused else (low, share)
    return low


def _excess(capacity: int, mean: float) -> float:
    """Return the share of a Poisson distributed number that lies above a capacity."""
    if not mean:
        return 0.0
    chance, below, expected = math.exp(-mean), 0.0, 0.0
    for count in range(capacity + 1):
        below += chance
        expected += count * chance
        chance *= mean / (count + 1)
    return max(0.0, mean - expected - capacity * (1 - below)) / mean
