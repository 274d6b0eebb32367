"""The client's README says what the code does."""

from __future__ import annotations

import asyncio
import inspect
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

import lipsync_client
from lipsync_client import (
    LipsyncClient,
    LipsyncError,
    SpeechSession,
    SyncSpeechSession,
    connect_speech,
    connect_speech_sync,
)
from lipsync_client.speech_settings import SpeechSettings
from tests.clients.fake_speech_bridge import FakeSpeechBridge
from tests.fake_triton import FakeTriton

CLIENT_DIR = Path(lipsync_client.__file__).parent.parent
README = (CLIENT_DIR / "README.md").read_text(encoding="utf-8")
SERVER = "localhost:8001"


FRAMES, SPEECH = README.split("\n## Live speech\n")
BRIDGE = "http://localhost:8086"
HELD_OUT_PICTURES = 282


def blocks(language: str, text: str = FRAMES) -> list[str]:
    """Return the code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


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
    assert [re.findall(rf"^\| `{name}` \|", FRAMES, re.MULTILINE) for name in arguments] == [
        [f"| `{name}` |"] for name in arguments
    ]


@pytest.mark.parametrize("example", blocks("python", SPEECH), ids=["async", "sync"])
async def test_examples_of_speech_run(example: str) -> None:
    """Each example of live speech prints every picture of the recording."""
    async with FakeSpeechBridge() as bridge:
        output = await run_python("-c", example.replace(BRIDGE, bridge.url))
    samples = [int(i) for i in re.findall(r"^(\d+) \d+ \(.*\) \d+$", output, re.MULTILINE)]
    assert samples == [640 * i for i in range(HELD_OUT_PICTURES)]


async def test_video_is_made(tmp_path: Path) -> None:
    """The command prints what the README shows, but for the time it takes."""
    (command,) = blocks("sh", SPEECH)
    (shown,) = blocks("text", SPEECH)
    out = tmp_path / "out.mp4"
    async with FakeSpeechBridge() as bridge:
        words = shlex.split(command.replace(BRIDGE, bridge.url).replace("out.mp4", str(out)))
        output = await run_python(*words[1:])
    assert re.sub(r"\d+\.\d ", "# ", output) == re.sub(r"\d+\.\d ", "# ", shown.replace("out.mp4", str(out)))


@pytest.mark.parametrize("connect", [connect_speech, connect_speech_sync])
def test_settings_of_speech_are_listed(connect: Callable[..., object]) -> None:
    """Every argument of a session is in its table, with its default, and has the default of the settings."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", SPEECH, re.MULTILINE))
    defaults = {field.name: field.default for field in fields(SpeechSettings)}
    for name, argument in inspect.signature(connect).parameters.items():
        if argument.default is inspect.Parameter.empty:
            assert rows[name] == "\N{EN DASH}"
        else:
            assert argument.default == defaults[name]
            assert rows[name].strip("`") == str(argument.default or rows[name])


def test_both_sessions_are_told_of() -> None:
    """All that a session can do is in the table, and both kinds can do the same."""
    public = [
        {name for name in dir(kind) if not name.startswith("_")}
        for kind in (SpeechSession, SyncSpeechSession)
    ]
    assert public[0] == public[1]
    for name in public[0] - {"close"}:
        assert re.search(rf"`{name}(\(|`)", SPEECH), name


def test_errors_are_listed() -> None:
    """Every error is in the table of errors with its code."""
    listed = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", FRAMES, re.MULTILINE)
    assert listed == [(error.__name__, error.code) for error in LipsyncError.__subclasses__()]
