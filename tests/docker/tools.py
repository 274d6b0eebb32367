"""Programs of the system and scripts of ``docker/`` that the tests run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose.stack import compose_command

__all__ = ["ROOT", "compose_services", "run_script", "tool"]

ROOT = Path(__file__).parents[2]
PROFILES = ("cpu", "gpu", "monitoring")


def tool(name: str, package: str) -> str:
    """Return the path of a program; where there is none, skip the test, or fail it on CI."""
    path = shutil.which(name)
    if path is None:
        reason = f"needs {name}: install Debian's {package}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return path


def run_script(name: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Run a script of ``docker/`` as its image does."""
    command = [sys.executable, str(ROOT / "docker" / name), *map(str, args)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)


def compose_services(*files: str, **settings: str) -> dict[str, Any]:
    """Return the services of the Compose file as Compose itself resolves them, of every profile."""
    if not shutil.which("docker"):
        tool("docker-compose", "docker-compose")
    profiles = [f"--profile={name}" for name in PROFILES]
    names = [f"--file={name}" for name in files or ("docker-compose.yml",)]
    command = [*compose_command(), *names, *profiles, "config"]
    environment = {**os.environ, **settings}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return dict(yaml.safe_load(done.stdout)["services"])
