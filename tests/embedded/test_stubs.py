"""embedded/stubs.py"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.stubs import Stubs
from tests.embedded.processes import STUB, WAIT_S, wait_until

PROGRAM = """
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(3))
print("up", flush=True)
while True: signal.pause()
"""


@pytest.fixture
def prefix() -> str:
    return f"triton_{uuid.uuid4().hex[:12]}_"


@pytest.fixture
def stubs(prefix: str) -> Iterator[Stubs]:
    stubs = Stubs(prefix)
    yield stubs
    stubs.close()


@contextlib.contextmanager
def stub(
    folder: Path, model: str, prefix: str, at: str = "", instance: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """Run what looks like a stub of a model: its path, its prefix and its instance's name follow the program's."""
    path = folder / (at or model) / "1" / "model.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PROGRAM)
    arguments = [
        f"/backends/python/{STUB}",
        str(path),
        f"{prefix}region",
        "1048576",
        "/tmp/triton-x_1_0/python",
    ]
    arguments += [instance or f"{model}_0_0"]
    with subprocess.Popen(arguments, executable=sys.executable, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """End a process and let it lie, as Triton does."""
    process.send_signal(number)
    wait_until(lambda: ") Z " in Path(f"/proc/{process.pid}/stat").read_text() or None)


def test_a_stub_that_was_killed(stubs: Stubs, prefix: str, tmp_path: Path) -> None:
    """A stub that a signal ended is named by its model until it is forgotten; its neighbours are not."""
    with (
        stub(tmp_path, "anna_unet", prefix) as victim,
        stub(tmp_path, "anna_unet", prefix),
        stub(tmp_path, "anna_frames", prefix),
        stub(tmp_path, "other", "triton_of_another_") as stranger,
    ):
        assert stubs.look() == {}
        assert (stubs.alive("anna_unet"), stubs.alive("anna_frames"), stubs.alive("other")) == (2, 1, 0)
        end(victim, signal.SIGKILL)
        end(stranger, signal.SIGKILL)
        assert stubs.look() == stubs.look() == {}  # Triton may be about to wait for it
        assert stubs.look() == stubs.look(for_new=False) == {"anna_unet": "was ended by SIGKILL"}
        assert stubs.alive("anna_unet") == 1
        stubs.forget_dead("anna_unet")
        assert stubs.look() == {}


def test_whose_stub_it_is(stubs: Stubs, prefix: str, tmp_path: Path) -> None:
    """A model that came in a load's body lies anywhere, and an instance group may be named at will."""
    with (
        stub(tmp_path, "sent", prefix, at="folderZ8q"),
        stub(tmp_path, "anna_unet", prefix, instance="fast_ones_1"),
    ):
        stubs.look()
        assert (stubs.alive("sent"), stubs.alive("anna_unet")) == (1, 1)


def test_a_stub_that_triton_ended(stubs: Stubs, prefix: str, tmp_path: Path) -> None:
    """A stub that was waited for, as an unloaded model's is, is no loss."""
    with stub(tmp_path, "anna_unet", prefix) as process:
        assert stubs.look() == {}
        process.kill()
        process.wait(WAIT_S)
        assert stubs.look() == {}
        assert stubs.alive("anna_unet") == 0


def test_a_stub_that_exits(stubs: Stubs, prefix: str, tmp_path: Path) -> None:
    """A stub that exits by itself is lost as well, with its exit code."""
    with stub(tmp_path, "anna_unet", prefix) as process:
        stubs.look()
        end(process, signal.SIGTERM)
        assert stubs.look() == stubs.look() == {}
        assert stubs.look() == {"anna_unet": "exited with code 3"}


def test_a_process_that_becomes_a_stub(stubs: Stubs, prefix: str, tmp_path: Path) -> None:
    """One that was seen between its birth and its program, with its parent's arguments, is looked at again."""
    wait = "import os, sys; sys.stdin.readline(); os.execv(sys.executable, sys.argv[1:])"
    path = tmp_path / "anna_unet" / "1" / "model.py"
    path.parent.mkdir(parents=True)
    path.write_text(PROGRAM)
    arguments = [sys.executable, "-c", wait, STUB, str(path), prefix]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        stubs.look()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        stubs.look()
        assert stubs.alive("anna_unet") == 1
        process.kill()
