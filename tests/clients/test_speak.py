"""The command that makes a video, as a process of its own: what it prints, what it leaves, and its exit status."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import lipsync_client
from tests.clients.fake_speech_bridge import FakeSpeechBridge
from tests.clients.sounds import beep, names, write_sound

CLIENT_DIR = Path(lipsync_client.__file__).parent.parent


async def start(*args: object, stdin: Any = DEVNULL) -> Process:
    """Start the command."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lipsync_client", "speak", *map(str, args)),
        stdin=stdin,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, "PYTHONPATH": str(CLIENT_DIR)},
    )


async def finish(*args: object, piped: bytes | None = None) -> tuple[int, str, str]:
    """Run the command to its end; return its exit status, output and error output."""
    process = await start(*args, stdin=DEVNULL if piped is None else PIPE)
    output, errors = await asyncio.wait_for(process.communicate(piped), 60)
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


def options(url: str, folder: Path, avatar: str = "echo", audio: object = None) -> list[object]:
    """Return the options of a video of ``in.wav``."""
    source = folder / "in.wav" if audio is None else audio
    return ["--url", url, "--avatar", avatar, "--audio", source, "--out", folder / "out.mp4"]


def picture_count(path: Path) -> int:
    """Return how many pictures a video has."""
    with av.open(str(path)) as container:
        return len(list(container.decode(video=0)))


async def test_a_file(bridge: FakeSpeechBridge, tmp_path: Path) -> None:
    """A sound file becomes a video; one line says what was made, and nothing else is said."""
    write_sound(tmp_path / "in.wav", beep(1, 16_000, 0, 9), 16_000)
    status, output, errors = await finish(*options(bridge.url, tmp_path))
    expected = r"25 pictures, 1\.00 s, made in \d+\.\d s \(\d+\.\d times as fast as it plays\)\n"
    assert (status, errors) == (0, "")
    assert re.fullmatch(re.escape(f"{tmp_path / 'out.mp4'}: ") + expected, output)
    assert picture_count(tmp_path / "out.mp4") == 25


async def test_what_was_left_out_is_said(bridge: FakeSpeechBridge, tmp_path: Path) -> None:
    """Pictures that the bridge left out are no error, and no secret."""
    write_sound(tmp_path / "in.wav", beep(1, 16_000, 0, 9), 16_000)
    status, _, errors = await finish(*options(bridge.url, tmp_path, "skips"))
    assert (status, picture_count(tmp_path / "out.mp4")) == (0, 25)
    assert errors == "warning: the bridge left out 3 pictures; each shows the one before it\n"


async def test_a_pipe(bridge: FakeSpeechBridge, tmp_path: Path) -> None:
    """A WAV may come from a pipe, and so may samples without a header."""
    write_sound(tmp_path / "in.wav", beep(1, 16_000, 0, 9), 16_000)
    piped = (tmp_path / "in.wav").read_bytes()
    status, _, errors = await finish(*options(bridge.url, tmp_path, audio="-"), piped=piped)
    assert (status, errors, picture_count(tmp_path / "out.mp4")) == (0, "", 25)
    raw = np.zeros(24_000, "<f4").tobytes()
    flags = ["--raw", "f32le", "--sample-rate", 24_000]
    status, _, errors = await finish(*options(bridge.url, tmp_path, audio="-"), *flags, piped=raw)
    assert (status, errors, picture_count(tmp_path / "out.mp4")) == (0, "", 25)


@pytest.mark.parametrize(
    ("stop", "expected_status"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
async def test_stopped_in_the_middle(
    bridge: FakeSpeechBridge, tmp_path: Path, stop: signal.Signals, expected_status: int
) -> None:
    """Ctrl-C, or a polite kill, ends it at once, even where a pipe still owes sound, and leaves the old video alone."""
    (tmp_path / "out.mp4").write_bytes(b"old")
    process = await start(
        *options(bridge.url, tmp_path, audio="-"), "--raw", "s16le", "--answer-timeout-s", 60, stdin=PIPE
    )
    assert process.stdin is not None
    process.stdin.write(bytes(64_000))
    while not bridge.full_frames:  # pictures are being put together
        bridge.has_heard.clear()
        await asyncio.wait_for(bridge.has_heard.wait(), 30)
        process.stdin.write(bytes(64_000))
    process.send_signal(stop)
    status = await asyncio.wait_for(process.wait(), 30)
    output, errors = await process.stdout.read(), await process.stderr.read()  # type: ignore[union-attr]
    assert (status, output, errors) == (expected_status, b"", b"")
    assert names(tmp_path) == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"old"
    await asyncio.wait_for(bridge.closed.wait(), 10)


@pytest.mark.parametrize(
    ("avatar", "audio", "sentence"),
    [
        ("unknown", None, r"expected an avatar that is loaded at http://.*, got 'unknown': .*"),
        ("overloaded", None, r"expected room for a session at http://.*, got a refusal: .*"),
        ("ends", None, r"expected a session of live speech at http://.*, got internal: .*"),
        ("echo", "none.wav", r".*No such file or directory: 'none\.wav'"),
        ("echo", __file__, r"expected sound of a known format in '.*', got something else"),
        ("echo", "-", r"expected sound from a pipe in '-', got a terminal or no input"),
    ],
)
async def test_failures(
    bridge: FakeSpeechBridge, tmp_path: Path, avatar: str, audio: str | None, sentence: str
) -> None:
    """What goes wrong is one sentence and status 1, without a file."""
    write_sound(tmp_path / "in.wav", beep(1, 16_000, 0, 9), 16_000)
    status, output, errors = await finish(*options(bridge.url, tmp_path, avatar, audio))
    assert (status, output) == (1, "")
    assert re.fullmatch(rf"error: {sentence}\n", errors)
    assert names(tmp_path) == ["in.wav"]


async def test_no_bridge_and_no_folder(tmp_path: Path, free_port: int) -> None:
    """A bridge that is away and a folder that is not there are one sentence each."""
    write_sound(tmp_path / "in.wav", beep(1, 16_000, 0, 9), 16_000)
    url = f"localhost:{free_port}"
    status, _, errors = await finish(*options(url, tmp_path))
    assert status == 1
    assert re.fullmatch(rf"error: expected a bridge at http://{url}, got no answer: .*\n", errors)
    out = ["--out", tmp_path / "none" / "out.mp4"]
    status, _, errors = await finish(*options(url, tmp_path), *out)
    assert status == 1
    assert re.fullmatch(r"error: .*No such file or directory: '.*none'\n", errors)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--out", "x.avi"], "argument --out: expected a name that ends in .mp4, got 'x.avi'"),
        (["--url", "grpc://localhost"], "expected a URL like http://localhost:8086, got 'grpc://localhost'"),
        (["--avatar", ""], "avatar must be the name of an avatar, got ''"),
        (["--sample-rate", "fast"], "argument --sample-rate: expected an integer from 1000 to 384000"),
        (["--raw", "mp3"], "argument --raw: invalid choice: 'mp3'"),
        (["--answer-timeout-s", "0"], "answer_timeout_s must be a number of seconds above 0, got 0.0"),
    ],
)
async def test_bad_arguments(tmp_path: Path, args: list[str], sentence: str) -> None:
    """A bad argument is status 2 with what was expected and what came."""
    write_sound(tmp_path / "in.wav", beep(1, 16_000, 0, 9), 16_000)
    status, output, errors = await finish(*options("localhost", tmp_path), *args)
    assert (status, output) == (2, "")
    assert sentence in errors


async def test_without_the_extra(tmp_path: Path) -> None:
    """An installation without the extra says which one is missing; the package can be imported all the same."""
    for missing in ("av", "cv2", "tqdm", "websockets"):
        (tmp_path / f"{missing}.py").write_text("raise ImportError('not installed')\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lipsync_client", "speak", *map(str, options("localhost", tmp_path))),
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{CLIENT_DIR}"},
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, output) == (1, b"")
    assert errors == (
        b"error: speak:// needs lipsync-client[video], got an installation without this extra\n"
    )
