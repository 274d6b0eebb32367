"""triton_lipsync/__main__.py"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

from triton_lipsync import __main__ as launcher
from triton_lipsync.__main__ import COMMANDS, main

BRIDGE = """
import json, os, subprocess, sys

def main(argv, prog):
    probe = [sys.executable, "-c", "import bridge; print(bridge.__file__)"]
    child = subprocess.check_output(probe, text=True).strip()
    print(json.dumps([argv, prog, __file__, child, os.environ["PYTHONPATH"]]))
    return 7
"""
"""A command that says how it was called, and what a child of it imports."""


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what the launcher does to this process."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "")


def laid_out(root: Path, bridge: Path) -> None:
    """Write the launcher into ``root``, and a command into the folder ``bridge``."""
    for folder in (root / "triton_lipsync", bridge):
        folder.mkdir()
        (folder / "__init__.py").touch()
    shutil.copy(launcher.__file__, root / "triton_lipsync")
    (bridge / "__main__.py").write_text(BRIDGE)


@pytest.mark.parametrize("place", ["triton_lipsync/bridge", "bridge"], ids=["installed", "checkout"])
def test_its_folder_is_on_the_path_of_the_process_and_its_children(tmp_path: Path, place: str) -> None:
    """The folder that holds the commands comes first: the package's own once installed, in a checkout that above."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    laid_out(root, root / place)
    done = subprocess.run(
        [sys.executable, "-m", "triton_lipsync", "bridge", "--port", "0"],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    argv, prog, module, imported_by_child, path = json.loads(done.stdout)
    assert (argv, prog) == (["--port", "0"], "triton-lipsync bridge")
    assert Path(module) == root / place / "__main__.py"
    assert Path(imported_by_child) == root / place / "__init__.py"
    assert path == os.pathsep.join([str((root / place).parent), str(root)])


@pytest.mark.parametrize("argv", [[], ["-h"], ["--help"]])
def test_help(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    """Every command has its line."""
    assert main(argv) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines if line and line[0] in COMMANDS] == [*COMMANDS, "demo"]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_called_by_their_names(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """The usage of each command is what was typed, with no work done for it."""
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: triton-lipsync {command} ")


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that does not exist is one sentence and exit code 2."""
    assert main(["serve"]) == 2
    expected = "expected one of demo, start, export, training, embedded, gpu, bridge, got serve"
    assert capsys.readouterr().err == f"triton-lipsync: {expected}\n"


@pytest.mark.parametrize(
    ("there", "drawn", "calls", "status"),
    [
        (False, 0, ["draw", "start --port 0"], 0),
        (True, 0, ["start --port 0"], 0),
        (False, 1, ["draw"], 1),
    ],
    ids=["missing", "there", "not drawn"],
)
def test_demo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool, drawn: int, calls: list[str], status: int
) -> None:
    """The demo avatar is drawn where it is missing, and served unless that failed."""
    called: list[str] = []

    def draw() -> int:
        called.append("draw")
        return drawn

    def start(argv: list[str], prog: str) -> int:
        called.append(" ".join(["start", *argv]))
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "demo.avatar", types.SimpleNamespace(main=draw))
    monkeypatch.setitem(sys.modules, "triton_lipsync.start", types.SimpleNamespace(main=start))
    if there:
        launcher.AVATAR.parent.mkdir(parents=True)
        launcher.AVATAR.touch()
    assert main(["demo", "--port", "0"]) == status
    assert called == calls
