"""The client's README says what the code does."""

from __future__ import annotations

import asyncio
import inspect
import re
import shlex
import sys
from pathlib import Path

import pytest

import lipsync_client
from lipsync_client import LipsyncClient, LipsyncError
from tests.fake_triton import FakeTriton

CLIENT_DIR = Path(lipsync_client.__file__).parent.parent
README = (CLIENT_DIR / "README.md").read_text(encoding="utf-8")
SERVER = "localhost:8001"


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


async def run_python(*args: str) -> str:
    """Run Python where the client can be imported, and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *args, cwd=CLIENT_DIR, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    return output.decode()


@pytest.mark.parametrize("example", blocks("python"), ids=["sync", "async"])
async def test_examples_run(example: str) -> None:
    """Each Python example runs to its end, and prints all fifty frames."""
    async with FakeTriton(models=["demo"]) as fake:
        output = await run_python("-c", example.replace(SERVER, fake.address))
    assert [int(i) for i in re.findall(r"^(\d+) \d+", output, re.MULTILINE)] == list(range(50))


async def test_command_runs() -> None:
    """The command prints what the README shows, but for the numbers."""
    (command,) = [block for block in blocks("sh") if "python -m" in block]
    (shown,) = blocks("text")
    async with FakeTriton(models=["demo"]) as fake:
        output = await run_python(*shlex.split(command.replace(SERVER, fake.address))[1:])
    assert re.sub(r"\d+\.\d+", "#", output) == re.sub(r"\d+\.\d+", "#", shown)


def test_settings_are_listed() -> None:
    """Every argument of a client is in the table of settings."""
    arguments = [name for name in inspect.signature(LipsyncClient).parameters if name != "self"]
    assert [re.findall(rf"^\| `{name}` \|", README, re.MULTILINE) for name in arguments] == [
        [f"| `{name}` |"] for name in arguments
    ]


def test_errors_are_listed() -> None:
    """Every error is in the table of errors with its code."""
    listed = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", README, re.MULTILINE)
    assert listed == [(error.__name__, error.code) for error in LipsyncError.__subclasses__()]
