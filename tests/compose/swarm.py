"""One stack of a Swarm of one node, and what its services say."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.compose.engine import Engine
from tests.compose.stack import FOR_TESTS, ROOT, wait_until

__all__ = ["SwarmStack", "swarm_of_one"]

UPDATE_S = 600.0
ENDS = {"completed", "paused", "rollback_completed", "rollback_paused"}
FILE = ROOT / "docker" / "stack.yml"


@contextlib.contextmanager
def swarm_of_one(engine: Engine) -> Iterator[None]:
    """Make the engine a Swarm's only node while the block runs."""
    engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:0")
    try:
        yield
    finally:
        engine.docker("swarm", "leave", "--force")
        engine.docker("network", "rm", "docker_gwbridge", check=False)  # which it leaves


@dataclass(frozen=True)
class SwarmStack:
    """A stack of the checked-in file.

    Attributes:
        engine: Where it runs.
        name: Its name.
        port: Where its bridge is published.
        grpc_port: Where the bridge's gRPC service is.
    """

    engine: Engine
    name: str
    port: int
    grpc_port: int

    def deploy(self) -> None:
        """Have it run."""
        own = {"LIPSYNC_PORT": str(self.port), "LIPSYNC_GRPC_PORT": str(self.grpc_port)}
        settled = Engine(self.engine.own, {**self.engine.environment, **FOR_TESTS, **own})
        settled.docker(
            "stack", "deploy", f"--compose-file={FILE}", "--resolve-image=never", "--detach=true", self.name
        )

    def remove(self) -> None:
        """End it, and remove the volume of its avatars."""
        self.engine.docker("stack", "rm", self.name)
        running = ("ps", "--all", "--quiet", f"--filter=label=com.docker.stack.namespace={self.name}")
        wait_until(lambda: not self.engine.docker(*running).stdout.strip(), 60.0, "all tasks to be gone")
        self.engine.docker("volume", "rm", "--force", f"{self.name}_models", check=False)

    def tasks(self, service: str) -> set[str]:
        """Return the ids of a service's tasks that run."""
        shown = self.engine.docker(
            "service", "ps", "--quiet", "--filter=desired-state=running", f"{self.name}_{service}"
        )
        return set(shown.stdout.split())

    def update(self, service: str) -> str:
        """Replace all tasks of a service, one after another; return the state that the update ends in."""
        before = self._update(service).get("StartedAt")
        self.engine.docker("service", "update", "--force", "--detach=true", f"{self.name}_{service}")

        def ended() -> bool:
            found = self._update(service)
            return found.get("StartedAt") != before and found["State"] in ENDS

        wait_until(ended, UPDATE_S, "the update to end")
        return str(self._update(service)["State"])

    def health(self) -> dict[str, Any]:
        """Return the bridge's ``/health``; empty while it does not listen."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as exc:
            with exc:
                return dict(json.load(exc))
        except OSError:
            return {}

    def wait_for_upstreams(self, count: int, timeout_s: float = 240.0) -> float:
        """Return after how many seconds the bridge had as many healthy upstreams."""
        return wait_until(
            lambda: self.health().get("healthy_count") == count, timeout_s, f"{count} upstreams to be healthy"
        )

    def logs(self) -> str:
        """Return the last lines of each service."""
        texts = []
        for service in ("triton", "bridge"):
            for command in (("service", "ps", "--no-trunc"), ("service", "logs", "--tail=30", "--raw")):
                done = self.engine.docker(*command, f"{self.name}_{service}", check=False)
                texts.append(done.stdout + done.stderr)
        return "\n".join(texts)

    def _update(self, service: str) -> dict[str, Any]:
        (found,) = json.loads(self.engine.docker("service", "inspect", f"{self.name}_{service}").stdout)
        return dict(found.get("UpdateStatus", {}))
