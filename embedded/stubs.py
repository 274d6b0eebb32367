"""The Python stubs of one Triton, as the kernel sees them: which of them died, and of which model.

Triton's Python backend runs each instance of a model in a process of its own. When one dies, Triton neither starts
it again nor says so: server and model stay ready, and what the instance is given fails.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Stub", "Stubs"]

PROC = Path("/proc")
STUB = "triton_python_backend_stub"
INSTANCE = re.compile(r"([A-Za-z0-9][\w.-]*)_\d+_\d+")  # <model>_<group>_<number>
LOOKS_DEAD = 3
STATE, EXIT_STATUS = 0, 49  # of the words of /proc/PID/stat after the program's name


@dataclass
class Stub:
    """One stub process.

    Attributes:
        pid: Its number.
        model: The model it is an instance of.
        pidfd: Tells when it ends.
        looks_dead: How often it was found dead and not yet waited for by Triton.
    """

    pid: int
    model: str
    pidfd: int = field(repr=False)
    looks_dead: int = 0

    def has_ended(self) -> bool:
        """Tell whether it is dead; whether Triton knows is another question."""
        return bool(select.select([self.pidfd], [], [], 0)[0])


class Stubs:
    """The stubs whose command lines carry a Triton's prefix of shared memory.

    ``look`` again and again: a stub is lost when Triton let it lie dead, as it waits at once for one that it ended
    itself to unload a model.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._seen: tuple[set[int], set[int]] = set(), set()
        self._stubs: dict[int, Stub] = {}

    def look(self, *, for_new: bool = True) -> dict[str, str]:
        """Return the models that lost a stub, each with what ended it: a signal's name, or its exit code.

        Args:
            for_new: Whether to look for new stubs as well, which takes reading the list of all processes.
        """
        if for_new:
            self._find_new()
        lost = {}
        for stub in list(self._stubs.values()):
            if stub.has_ended():
                status = _exit_status(stub.pid)
                if status is None:  # Triton has waited for it
                    self._forget(stub)
                    continue
                stub.looks_dead += 1
                if stub.looks_dead >= LOOKS_DEAD:  # at the first ones Triton may be about to
                    lost[stub.model] = _describe(status)
        return lost

    def alive(self, model: str) -> int:
        """Return how many stubs of a model are alive."""
        return sum(stub.model == model and not stub.has_ended() for stub in self._stubs.values())

    def forget_dead(self, model: str) -> None:
        """Forget the dead stubs of a model that has new ones; Triton may wait for the old ones much later."""
        for stub in list(self._stubs.values()):
            if stub.model == model and stub.has_ended():
                self._forget(stub)

    def close(self) -> None:
        """Forget all of them."""
        for stub in list(self._stubs.values()):
            self._forget(stub)

    def _find_new(self) -> None:
        """Look at the processes that are new, twice: at first one may not have become a stub yet."""
        pids = {int(path.name) for path in PROC.glob("[0-9]*")}
        before, last = self._seen
        for pid in pids - (before & last) - self._stubs.keys():
            with contextlib.suppress(OSError):  # ended meanwhile
                self._add(pid)
        self._seen = last, pids

    def _add(self, pid: int) -> None:
        words = _command_line(pid)
        if len(words) < 3 or Path(words[0]).name != STUB or not words[2].startswith(self._prefix):
            return
        pidfd = os.pidfd_open(pid)
        if _command_line(pid) != words:  # the number has come to mean another
            os.close(pidfd)
            return
        self._stubs[pid] = Stub(pid, _model_of(words), pidfd)

    def _forget(self, stub: Stub) -> None:
        os.close(stub.pidfd)
        del self._stubs[stub.pid]


def _model_of(words: list[str]) -> str:
    """Return the model of a stub: of its path, …/<model>/<version>/<file>, and of its instance's name.

    A model that came in the body of a load lies in a folder of any name, and an instance group may have one of its own.
    """
    folder = Path(words[1]).parents[1].name
    names = [match[1] for word in words[3:] if (match := INSTANCE.fullmatch(word))]
    return folder if folder in names or not names else names[0]


def _command_line(pid: int) -> list[str]:
    return (PROC / str(pid) / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")


def _exit_status(pid: int) -> int | None:
    """Return how a process ended that nobody has waited for, as ``os.wait`` tells it; None once somebody has.

    Where the system keeps that from us, it is 0.
    """
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    words = text.rpartition(")")[2].split()
    return int(words[EXIT_STATUS]) if words[STATE] == "Z" else None


def _describe(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exited with code {os.waitstatus_to_exitcode(status)}"
