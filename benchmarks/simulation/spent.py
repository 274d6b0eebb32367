"""Processor time that processes have spent, which says the same on a busy machine as on an idle one."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Spent", "process_cpu_s"]


def process_cpu_s(pid: int) -> float:
    """Return the core seconds, user's and system's, that all threads of a process have used; 0 if it is gone."""
    return _cpu_s(Path(f"/proc/{pid}/stat"))


def _cpu_s(path: Path) -> float:
    try:
        stat = path.read_text(encoding="utf-8")
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Spent:
    """What some processes, and this one, spend from here on.

    Args:
        pids: Which others.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        self._before = {pid: process_cpu_s(pid) for pid in pids}
        self._main_before_s = self._main_cpu_s()
        self._own_before_s = time.process_time()

    def each_s(self) -> list[float]:
        """Return the core seconds of each of the others, the greatest first."""
        return sorted((process_cpu_s(pid) - before for pid, before in self._before.items()), reverse=True)

    def all_s(self) -> float:
        """Return the core seconds of all others together."""
        return sum(self.each_s())

    def main_s(self) -> float:
        """Return the core seconds of the others' main threads: where Python's event loops run."""
        return self._main_cpu_s() - self._main_before_s

    def own_s(self) -> float:
        """Return the core seconds of this process."""
        return time.process_time() - self._own_before_s

    def _main_cpu_s(self) -> float:
        return sum(_cpu_s(Path(f"/proc/{pid}/task/{pid}/stat")) for pid in self._before)
