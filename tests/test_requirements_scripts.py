"""requirements/python.sh, and how the Makefile installs, with stand-ins for every Python, and for uv, on the path."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ("sh", "dirname", "cat", "cp", "mkdir", "make", "touch")
"""Programs that the script, the Makefile and the stand-ins run besides."""

PYTHON = """#!/bin/sh
case "$*" in
*version_info*) echo {version} ;;
"-m venv build/uv") mkdir -p build && cp -r with_pip build/uv ;;
*) exit 9 ;;
esac
"""
PIP = """#!/bin/sh
[ "$*" = "install --quiet uv" ] && cp uv build/uv/bin/uv
"""
UV = """#!/bin/sh
echo "uv $*, shims: $UV_PYTHON_INSTALL_BIN" >&2
[ -d fetchable ] && mkdir -p build && cp -r fetchable build/python && echo "Installed Python 3.12.9"
"""
FETCHED = "build/python/cpython-3.12.9-linux-x86_64-gnu/bin/python3.12"
FETCHING = [
    "no Python 3.10 to 3.12 here: uv fetches 3.12 into build/ (about 50 MB, once)",
    "uv python install --no-config --no-cache --install-dir build/python 3.12, shims: 0",
]
NONE = (
    "expected Python 3.10 to 3.12, got {got} and no way to fetch one: docker compose up serves the demo without it, "
    "and make PYTHON=/path/to/python3.12 takes one from elsewhere"
)


@dataclass(frozen=True)
class Machine:
    """A checkout, and a PATH with only what a test puts there."""

    checkout: Path
    path: Path

    def add_python(self, name: str, version: str) -> None:
        write_program(self.path / name, PYTHON.format(version=version))

    def add_network(self) -> None:
        """Have uv find a Python to fetch."""
        python = FETCHED.removeprefix("build/python/")
        write_program(self.checkout / "fetchable" / python, PYTHON.format(version="3.12"))

    def run(self, *command: str, **environment: str) -> tuple[int, str, list[str]]:
        """Return exit code, what was printed, and the lines of what was said besides."""
        done = subprocess.run(
            command,
            cwd=self.checkout,
            env={"PATH": str(self.path), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.strip(), done.stderr.splitlines()

    def find(self, asked_for: str = "", **environment: str) -> tuple[int, str, list[str]]:
        return self.run("sh", "requirements/python.sh", asked_for, **environment)


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without Python and uv; a virtual environment made on it has a pip that can fetch uv."""
    checkout, path = tmp_path / "checkout", tmp_path / "bin"
    shutil.copytree(ROOT / "requirements", checkout / "requirements")
    path.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (path / tool).symlink_to(found)
    write_program(checkout / "with_pip" / "bin" / "pip", PIP)
    write_program(checkout / "uv", UV)
    return Machine(checkout, path)


@pytest.mark.parametrize(
    ("here", "chosen"),
    [
        ({"python3.10": "3.10", "python3.12": "3.12", "python3": "3.13"}, "python3.12"),
        ({"python3.11": "3.11", "python3.10": "3.10"}, "python3.11"),
        ({"python3.12": "", "python3": "3.10"}, "python3"),
    ],
    ids=["newest", "newest but one", "a shim of nothing"],
)
def test_of_this_system(machine: Machine, here: dict[str, str], chosen: str) -> None:
    """The newest Python here that fits is taken, and nothing is said or made."""
    for name, version in here.items():
        machine.add_python(name, version)
    assert machine.find() == (0, chosen, [])
    assert not (machine.checkout / "build").exists()


def test_asked_for(machine: Machine) -> None:
    """A Python that is named comes before all others."""
    machine.add_python("python3.12", "3.12")
    machine.add_python("mine", "3.10")
    assert machine.find("mine") == (0, "mine", [])


@pytest.mark.parametrize(("name", "got"), [("python3.13", "3.13"), ("absent", "none that runs")])
def test_asked_for_and_unfit(machine: Machine, name: str, got: str) -> None:
    """One that is named and does not fit is refused, not replaced."""
    machine.add_python("python3.12", "3.12")
    machine.add_python("python3.13", "3.13")
    sentence = f"expected Python 3.10 to 3.12, got {got}: make PYTHON=python3.12"
    assert machine.find(name) == (1, "", [sentence])


def test_no_older_than_asked_for(machine: Machine) -> None:
    """Where 3.11 is the oldest that will do, 3.10 is passed over, and refused by the sentence that says so."""
    machine.add_python("python3.10", "3.10")
    machine.add_python("python3", "3.11")
    assert machine.find(OLDEST="3.11") == (0, "python3", [])
    sentence = "expected Python 3.11 to 3.12, got 3.10: make PYTHON=python3.12"
    assert machine.find("python3.10", OLDEST="3.11") == (1, "", [sentence])


def test_fetched_by_a_uv_of_its_own(machine: Machine) -> None:
    """With only Python 3.13 here, uv comes into build/, and Python 3.12 by it; the next time it is there."""
    machine.add_python("python3", "3.13")
    machine.add_network()
    chosen = str(machine.checkout / FETCHED)
    assert machine.find() == (0, chosen, [*FETCHING, "Installed Python 3.12.9"])
    assert machine.find() == (0, chosen, [])


def test_fetched_by_the_users_uv(machine: Machine) -> None:
    """A uv that is on the path is used; no Python is needed then."""
    shutil.copy(machine.checkout / "uv", machine.path)
    machine.add_network()
    assert machine.find() == (0, str(machine.checkout / FETCHED), [*FETCHING, "Installed Python 3.12.9"])
    assert not (machine.checkout / "build" / "uv").exists()


def test_nothing_to_fetch(machine: Machine) -> None:
    """Where uv cannot fetch one, the last line points to Docker."""
    machine.add_python("python3", "3.13")
    assert machine.find() == (1, "", [*FETCHING, NONE.format(got="3.13")])


def test_no_uv_either(machine: Machine) -> None:
    """A machine without any Python, and so without uv, is pointed to Docker too."""
    status, printed, said = machine.find()
    assert (status, printed, said[0], said[-1]) == (1, "", FETCHING[0], NONE.format(got="none"))


def test_make_stops_there(machine: Machine) -> None:
    """Make prints the sentence and makes no environment."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, machine.checkout)
    status, _, said = machine.run("make", "demo", "PYTHON=absent")
    assert status == 2
    assert said[0] == "expected Python 3.10 to 3.12, got none that runs: make PYTHON=python3.12"
    assert not (machine.checkout / ".venv").exists()


LOGGING_PYTHON = """#!/bin/sh
case "$*" in
*version_info*) echo 3.12; exit ;;
"-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp "$0" .venv/bin/pip ;;
esac
echo "${0##*/} $* (${CUDA_VISIBLE_DEVICES-all} cards)" >> calls
case "$*" in
"embedded/gpu.py --check 1") echo "error: no card" >&2; exit 1 ;;
"-m demo.avatar") mkdir -p avatars/demo && touch avatars/demo/avatar.json ;;
esac
"""
"""Writes down how it is called; nothing is installed."""


@pytest.fixture
def calls(machine: Machine) -> Path:
    """A whole checkout, as far as make looks, on a machine with a Python that writes its calls here."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, machine.checkout)
    for name in ("demo/unet.onnx", "demo/audio_encoder.onnx", "export/repository/avatar.py"):
        (machine.checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (machine.checkout / name).touch()
    (machine.checkout / "requirements" / "libpython.sh").write_text(
        "exit 0\n"
    )  # it asks that Python for more
    write_program(machine.path / "python3.12", LOGGING_PYTHON)
    return machine.checkout / "calls"


@pytest.mark.parametrize(
    ("arguments", "choice", "cards"),
    [([], "auto", "all"), (["GPU=0"], "0", ""), (["LOCKED=1"], "0", ""), (["GPU=1", "LOCKED=1"], "1", "all")],
    ids=["as it is", "on the CPU", "what is locked", "on a card"],
)
def test_make_demo_chooses_the_package(
    machine: Machine, calls: Path, arguments: list[str], choice: str, cards: str
) -> None:
    """The card is looked for first, its package put in place after each installation and before each start."""
    if choice == "1":
        write_program(machine.path / "python3.12", LOGGING_PYTHON.replace("--check 1", "--check none"))
    assert machine.run("make", "demo", *arguments)[0] == 0
    lines = calls.read_text().splitlines()
    package = f"python -m embedded.gpu {choice} (all cards)"
    start = f"python -m triton_lipsync.start ({cards} cards)"
    assert lines[0] == f"python3.12 embedded/gpu.py --check {choice} (all cards)"
    installed = next(index for index, line in enumerate(lines) if "requirements/triton.txt" in line)
    assert lines[installed + 1] == package
    assert lines[-2:] == [package, start]
    calls.unlink()
    assert machine.run("make", "demo", *arguments)[0] == 0
    assert calls.read_text().splitlines() == [package, start]


def test_make_demo_insists_on_a_card(machine: Machine, calls: Path) -> None:
    """Without a card GPU=1 ends with the sentence of what is missing, before anything is installed."""
    status, _, said = machine.run("make", "demo", "GPU=1")
    assert (status, said[0]) == (2, "error: no card")
    assert not (machine.checkout / ".venv").exists()
