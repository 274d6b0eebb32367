"""One ``docker compose`` project of a test run, and what its bridge says."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compose.engine import Engine

__all__ = ["Stack", "compose_command", "free_port", "wait_until"]

ROOT = Path(__file__).parents[2]
POLL_S = 0.05
FOR_TESTS = {
    "LIPSYNC_TAG": "test",
    "BRIDGE_INFER_TIMEOUT_S": "30",  # a busy machine is slow, which is no failure of a frame here
}
BUILD_ON_HOST_NETWORK = """\
services:
  avatars: {build: {network: host}}
  bridge: {build: {network: host}}
"""


def compose_command() -> list[str]:
    """Return how Compose is called here: v2 where it is installed, else 1.29.

    Raises:
        FileNotFoundError: If neither is.
    """
    v2 = subprocess.run(["docker", "compose", "version"], capture_output=True)
    return ["docker", "compose"] if v2.returncode == 0 else ["docker-compose"]


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> float:
    """Return after how many seconds ``condition`` held."""
    start_s = time.monotonic()
    while not condition():
        assert time.monotonic() - start_s < timeout_s, f"expected {what} within {timeout_s:g} s"
        time.sleep(POLL_S)
    return time.monotonic() - start_s


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass(frozen=True)
class Stack:
    """A project of the checked-in Compose file.

    Attributes:
        engine: Where it runs.
        project: Its name.
        port: Where its bridge is published.
        grpc_port: Where the bridge's gRPC service is.
        settings: Environment variables of the Compose file.
        files: Further Compose files.
    """

    engine: Engine
    project: str
    port: int
    grpc_port: int
    settings: dict[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    def compose(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run Compose in the project; standard error comes with standard output."""
        files = [f"--file={path}" for path in (ROOT / "docker-compose.yml", *self.files)]
        command = [*compose_command(), f"--project-name={self.project}", *files, *args]
        ports = {"LIPSYNC_PORT": str(self.port), "LIPSYNC_GRPC_PORT": str(self.grpc_port)}
        settings = {**ports, **FOR_TESTS, **self.settings}
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**self.engine.environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1200,
        )

    def must(self, *args: str) -> str:
        """Run Compose, which has to succeed, and return what it printed."""
        done = self.compose(*args)
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def containers(self, service: str = "") -> list[str]:
        """Return the ids of the project's running containers, of one service or of all."""
        labels = [f"label=com.docker.compose.project={self.project}"]
        labels += [f"label=com.docker.compose.service={service}"] * bool(service)
        filters = [f"--filter={label}" for label in labels]
        return self.engine.docker("ps", "--quiet", *filters).stdout.split()

    def health(self) -> dict[str, Any]:
        """Return the bridge's ``/health``; empty while it does not listen."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as exc:
            return dict(json.load(exc))
        except OSError:
            return {}

    def wait_for_upstreams(self, healthy: int, total: int, timeout_s: float = 120.0) -> float:
        """Return after how many seconds the bridge had as many upstreams."""

        def as_many() -> bool:
            health = self.health()
            return (health.get("healthy_count"), health.get("total_backends")) == (healthy, total)

        return wait_until(as_many, timeout_s, f"{healthy} of {total} upstreams to be healthy")

    def kill(self, container: str) -> None:
        """End a container's main process by SIGKILL, as a crash does: ``docker kill`` would count as a wish to stop.

        A helper container does it, as a process cannot see its own engine's processes everywhere.
        """
        pid = self.engine.inspect(container)["State"]["Pid"]
        alone = ["--rm", "--pid=host", "--network=none", "--user=0", "--entrypoint=sh"]
        self.engine.docker("run", *alone, "triton-lipsync/triton:test", "-c", f"kill -KILL {pid}")
