"""Containers of the chart as processes of this machine: their commands, with paths and ports of a test's own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compose.stack import free_port
from tests.helm.chart import ROOT, containers, rendered

__all__ = ["Machine", "container_of"]

PROGRAMS = {"python3": sys.executable, "python": sys.executable}


def container_of(case: str, name: str) -> dict[str, Any]:
    """Return the first container of a name."""
    return next(container for _, _, container in containers(rendered(case)) if container["name"] == name)


@dataclass
class Machine:
    """Where a container's files and ports are here.

    Attributes:
        paths: What lies where in a container, and where it lies here; the longest match counts.
        ports: A container's ports, and those here.
    """

    paths: dict[str, Path]
    ports: dict[int, int] = field(default_factory=dict)

    def here(self, text: str) -> str:
        """Return an argument or a variable with this machine's paths."""
        longest_first = sorted(map(re.escape, self.paths), key=len, reverse=True)
        # at the beginning of a path, and once: a test's own folder may have such a name in it
        return re.sub(
            rf"(?<![\w.-])({'|'.join(longest_first)})(?![\w-])", lambda found: str(self.paths[found[1]]), text
        )

    def port(self, port: int) -> int:
        """Return the port of this machine that stands for a container's."""
        return self.ports.setdefault(port, free_port())

    def command(self, words: list[str]) -> list[str]:
        """Return a command of a container, or the arguments of an image whose entry point is Python."""
        first, *rest = words
        if first not in (*PROGRAMS, "sh", "sleep"):
            first, rest = "python", words
        return [PROGRAMS.get(first, first), *map(self.here, rest)]

    def environment(self, container: dict[str, Any], **own: str) -> dict[str, str]:
        """Return a container's variables beside this machine's."""
        variables = {item["name"]: self.here(item["value"]) for item in container.get("env", ())}
        return {**os.environ, "PYTHONPATH": str(ROOT), **variables, **own}

    def run(self, words: list[str], timeout_s: float = 200.0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(words),
            cwd=ROOT,
            env=self.environment({}),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    @contextlib.contextmanager
    def running(
        self, words: list[str], environment: dict[str, str], ready: str
    ) -> Iterator[subprocess.Popen[str]]:
        """Run a server until the block ends; it has to print ``ready`` first, and to exit with 0 on SIGTERM."""
        with subprocess.Popen(
            self.command(words), cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                assert any(ready in line for line in process.stdout), f"{words} never said {ready!r}"
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                process.stdout.read()
        assert process.returncode == 0
