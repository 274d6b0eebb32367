"""The Docker engine of a test run: the one that runs already, else one of our own that ends with the run."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Engine", "EngineImpossible", "running_engine"]

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
CAP_SYS_ADMIN = 21
REFUSALS = ("operation not permitted", "permission denied")


class EngineImpossible(Exception):
    """Raised when this machine lets nobody like us run an engine; anything else that fails is a failure."""


@dataclass(frozen=True)
class Engine:
    """A running Docker engine.

    Attributes:
        own: Whether this run started it.
        environment: What to run ``docker`` and Compose in.
    """

    own: bool
    environment: dict[str, str] = field(repr=False)

    def docker(self, *args: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run ``docker``; its output comes back as text."""
        command = ["docker", *args]
        options = {"capture_output": True, "text": True, "timeout": 600, **options}
        done: subprocess.CompletedProcess[str] = subprocess.run(command, env=self.environment, **options)
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what the engine knows about a container."""
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", container).stdout)
        return found[0]


@contextlib.contextmanager
def running_engine(data_root: Path) -> Iterator[Engine]:
    """Lend the engine that runs, or start one whose images stay in ``data_root`` for the next run.

    Raises:
        EngineImpossible: If none runs and this machine does not let us start one.
    """
    engine = Engine(own=False, environment=dict(os.environ))
    if engine.docker("info", check=False).returncode == 0:
        yield engine
        return
    _check_privileges()
    with tempfile.TemporaryDirectory(prefix="docker-") as folder, _daemon(data_root, Path(folder)) as socket:
        yield Engine(own=True, environment={**os.environ, "DOCKER_HOST": f"unix://{socket}"})


def _check_privileges() -> None:
    if os.geteuid() != 0:
        raise EngineImpossible("no Docker engine runs, and only root may start one")
    status = Path("/proc/self/status").read_text()
    effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
    if not effective >> CAP_SYS_ADMIN & 1:
        raise EngineImpossible("no Docker engine runs, and root lacks CAP_SYS_ADMIN here")
    assert shutil.which("dockerd"), "expected dockerd on PATH, got none: install Debian's docker.io"


@contextlib.contextmanager
def _daemon(data_root: Path, folder: Path) -> Iterator[Path]:
    """Run ``dockerd``; its socket, log and state lie in ``folder``."""
    data_root.mkdir(parents=True, exist_ok=True)
    socket, log = folder / "docker.sock", folder / "log"
    places = {"data-root": data_root, "exec-root": folder / "exec", "pidfile": folder / "pid"}
    command = [
        "dockerd",
        "--host",
        f"unix://{socket}",
        *(f"--{key}={value}" for key, value in places.items()),
    ]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            _wait_until_it_answers(process, socket, log)
            yield socket
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)
            subprocess.run(
                ["umount", str(folder / "exec" / "netns" / "default")], check=False
            )  # dockerd leaves it


def _wait_until_it_answers(process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while subprocess.run(["docker", "--host", f"unix://{socket}", "info"], capture_output=True).returncode:
        if process.poll() is not None:
            last = log.read_text().strip().splitlines()[-1]
            if any(refusal in last.lower() for refusal in REFUSALS):
                raise EngineImpossible(f"no Docker engine runs, and dockerd may not start: {last}")
            raise AssertionError(f"dockerd exited with {process.returncode}: {last}")
        assert time.monotonic() < deadline_s, f"dockerd did not answer within {START_TIMEOUT_S:g} s"
        time.sleep(0.1)
