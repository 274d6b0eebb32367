"""The wheel: what is in it, and that it works where there is no checkout."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.weights import UNET_PATH
from tests.conftest import Clip
from tests.embedded.processes import WAIT_S

ROOT = Path(__file__).parent.parent
FOLDERS = ("backends", "bridge", "demo", "embedded", "export", "speech", "training")
MAX_WHEEL_BYTES = 15_000_000
SETUPTOOLS = 77
"""The oldest that can build it, as in pyproject.toml."""


def tracked(*paths: str) -> list[Path]:
    """Return the files of the checkout below some paths: git's, and new ones that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for path in map(Path, listed.split("\0")) if path.name and (ROOT / path).is_file()]


def isolation() -> list[str]:
    """Return pip's option to build with this environment's setuptools, if it has one that can."""
    try:
        release = int(importlib.metadata.version("setuptools").partition(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return []
    return ["--no-build-isolation"] if release >= SETUPTOOLS else []


def pip(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True, timeout=200)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, as setuptools leaves its own files behind."""
    copy = tmp_path_factory.mktemp("copy")
    for path in tracked("pyproject.toml", "README.md", "LICENSE", "triton_lipsync", *FOLDERS):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copy / path)
    built = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", *isolation(), "--wheel-dir", built, copy)
    (path,) = built.iterdir()
    return path


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and an empty folder to work in."""

    environment: Path
    folder: Path

    def popen(self, program: str, *arguments: str | Path) -> subprocess.Popen[str]:
        """Run a program of the environment, in the folder, with nothing inherited that leads to the checkout."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))}
        return subprocess.Popen(
            [self.environment / "bin" / program, *arguments],
            cwd=self.folder,
            env=clean,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, program: str, *arguments: str | Path) -> tuple[int, str]:
        """Run a program to its end; return its exit code and what it printed."""
        with self.popen(program, *arguments) as process:
            output = process.communicate(timeout=60)[0]
        return process.returncode, output


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment of its own, with what the wheel depends on but not this checkout's editable install.

    Python reads no further .pth files in a folder that one leads to, and an editable install is such a file.
    """
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, symlinks=True)
    pip("--python", environment / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
    site = sysconfig.get_path("purelib", "venv", vars={"base": str(environment)})
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(environment, tmp_path_factory.mktemp("empty"))


def test_one_import_name(wheel: Path) -> None:
    """Nothing but ``triton_lipsync`` goes into site-packages, and it carries every file of the folders."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {path.as_posix() for path in tracked("triton_lipsync")}
    expected |= {f"triton_lipsync/{path.as_posix()}" for path in tracked(*FOLDERS)}
    assert names == expected
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


def test_other_programs_see_no_names_of_ours(installed: Installed) -> None:
    """Names such as ``export`` stay free for others; only our commands can import them."""
    probe = f"import importlib.util as util; print([name for name in {FOLDERS} if util.find_spec(name)])"
    assert installed.run("python", "-c", probe) == (0, "[]\n")


def test_help(installed: Installed) -> None:
    """The command is there and lists what it can do."""
    status, output = installed.run("triton-lipsync", "--help")
    assert status == 0
    assert output.startswith("usage: triton-lipsync COMMAND")


def test_from_dataset_to_picture(installed: Installed, clip: Clip) -> None:
    """An avatar is imported and served from an empty folder; Ctrl-C ends it with exit code 0."""
    source = ("--dataset", clip.folder, "--checkpoint", UNET_PATH)
    status, output = installed.run("triton-lipsync", "export", "avatar", "anna", *source)
    assert status == 0, output
    with installed.popen("triton-lipsync", "start", "--port", "0", "--triton-port", "0") as process:
        try:
            page = page_of(process)
            health = json.loads(get(f"{page}health"))
            picture = get(f"{page}frames/anna/3.jpg")
            document = get(page)
        finally:
            process.send_signal(signal.SIGINT)
            output = process.communicate(timeout=WAIT_S)[0]
    assert process.returncode == 0, output
    assert health["healthy"] is True
    assert picture.startswith(b"\xff\xd8")
    assert b"<title>" in document


def page_of(process: subprocess.Popen[str]) -> str:
    """Read what it prints up to the page's address, and return that."""
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line)
        if found := re.match(r"page\s+(\S+)", line):
            return found[1]
    raise AssertionError("".join(printed))


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=WAIT_S) as answer:
        return bytes(answer.read())
