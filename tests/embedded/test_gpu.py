"""embedded/gpu.py, with stand-ins for the driver and for pip."""

from __future__ import annotations

import ctypes
import importlib.metadata
import re
import subprocess
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from embedded import gpu
from tests.gpu_stand_in.machine import compile_library, needs_compiler

ON_CPU, ON_GPU = "onnxruntime<2,>=1.20", "onnxruntime-gpu[cuda,cudnn]<2,>=1.21"
REQUIRED = ["numpy<2,>=1.26", ON_CPU, f'{ON_GPU}; extra == "gpu"']
NO_DRIVER = "expected an NVIDIA driver, and its library libcuda.so.1 is not on this machine"
INSTALLING = f"installing {ON_GPU} for Stand-in H200, with CUDA's libraries 2.5 GB on disk\n"


@dataclass
class Pip:
    """Keeps what it was told, and what is installed then; fails at the call of a number."""

    installed: set[str]
    fails_at: int = 0
    calls: list[str] = field(default_factory=list)

    def run(self, command: list[str], check: bool) -> types.SimpleNamespace:
        assert command[:5] == [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        assert not check
        self.calls.append(" ".join(command[5:]))
        if len(self.calls) == self.fails_at:
            return types.SimpleNamespace(returncode=1)
        packages = {word.partition("[")[0].partition("<")[0] for word in command[6:] if word[0] != "-"}
        self.installed = self.installed - packages if command[5] == "uninstall" else self.installed | packages
        return types.SimpleNamespace(returncode=0)

    def distribution(self, package: str) -> None:
        if package not in self.installed:
            raise importlib.metadata.PackageNotFoundError(package)


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    """An environment with ONNX Runtime for CPUs, as the project's own installation leaves it."""
    pip = Pip({"onnxruntime"})
    monkeypatch.setattr(subprocess, "run", pip.run)
    monkeypatch.setattr(importlib.metadata, "distribution", pip.distribution)
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: REQUIRED)
    return pip


class Driver:
    """A driver with one card."""

    def cuInit(self, flags: int) -> int:
        return 0

    def cuDeviceGetCount(self, count: ctypes.c_int) -> int:
        count._obj.value = 1  # type: ignore[attr-defined]
        return 0

    def cuDeviceGetName(self, name: ctypes.Array[ctypes.c_char], size: int, index: int) -> int:
        name.value = b"Stand-in H200"
        return 0


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a card."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())


@pytest.mark.parametrize("choice", [[], ["auto"], ["0"]])
def test_without_a_card(pip: Pip, capsys: pytest.CaptureFixture[str], choice: list[str]) -> None:
    """Without a card the package for CPUs stays, and nothing is said or installed."""
    assert gpu.main(choice) == 0
    assert (pip.calls, capsys.readouterr().out) == ([], "")


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_insisting_without_a_card(pip: Pip, capsys: pytest.CaptureFixture[str], check: list[str]) -> None:
    """Who insists on a card hears in one sentence what is missing, and nothing is installed."""
    assert gpu.main(["1", *check]) == 1
    assert capsys.readouterr().err == f"error: {NO_DRIVER}\n"
    assert pip.calls == []


@pytest.mark.parametrize("choice", [[], ["1"]])
@pytest.mark.usefixtures("card")
def test_a_card(pip: Pip, capsys: pytest.CaptureFixture[str], choice: list[str]) -> None:
    """With a card its package is installed and the other goes; once more, as that took files of both along."""
    assert gpu.main(choice) == 0
    assert pip.calls == [
        f"install {ON_GPU}",
        "uninstall --yes onnxruntime",
        f"install --force-reinstall --no-deps {ON_GPU}",
    ]
    assert pip.installed == {"onnxruntime-gpu"}
    assert capsys.readouterr().out == INSTALLING
    assert gpu.main(choice) == 0
    assert len(pip.calls) == 3


@pytest.mark.usefixtures("card")
def test_switching(pip: Pip) -> None:
    """Back and forth, and after an installation that brought both: one is there in the end, whole."""
    for choice, expected in [("1", "onnxruntime-gpu"), ("0", "onnxruntime"), ("1", "onnxruntime-gpu")]:
        assert gpu.main([choice]) == 0
        assert pip.installed == {expected}
        pip.installed = {"onnxruntime", "onnxruntime-gpu"}
        assert gpu.main([choice]) == 0
        assert pip.installed == {expected}
        assert pip.calls[-1].startswith(f"install --force-reinstall --no-deps {expected}")


@pytest.mark.usefixtures("card")
def test_checking_installs_nothing(pip: Pip, capsys: pytest.CaptureFixture[str]) -> None:
    """Before an environment is made, only the card is looked for."""
    assert gpu.main(["1", "--check"]) == 0
    assert (pip.calls, capsys.readouterr().out) == ([], "")


@pytest.mark.usefixtures("card")
def test_cannot_be_fetched(pip: Pip, capsys: pytest.CaptureFixture[str]) -> None:
    """What is there stays where the package for the card cannot be fetched; who insists gets an error."""
    sentence = f"expected to install {ON_GPU}, and pip cannot"
    pip.fails_at = 1
    assert gpu.main([]) == 0
    assert capsys.readouterr().err == f"{sentence}: onnxruntime stays\n"
    pip.calls.clear()
    assert gpu.main(["1"]) == 1
    assert capsys.readouterr().err == f"error: {sentence}\n"
    assert pip.installed == {"onnxruntime"}


@pytest.mark.parametrize("call", [2, 3])
@pytest.mark.usefixtures("card")
def test_fails_halfway(pip: Pip, capsys: pytest.CaptureFixture[str], call: int) -> None:
    """A change that broke off is an error, and the next run mends it."""
    pip.fails_at = call
    assert gpu.main([]) == 1
    assert capsys.readouterr().err == f"error: expected to install {ON_GPU}, and pip cannot\n"
    pip.fails_at = 0
    assert gpu.main([]) == 0
    assert pip.installed == {"onnxruntime-gpu"}


@pytest.mark.usefixtures("card")
def test_without_a_description(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the project's own description is not installed, the newest release is taken."""
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: None)
    assert gpu.main([]) == 0
    assert pip.calls[0] == "install onnxruntime-gpu[cuda,cudnn]"


def test_the_extra() -> None:
    """The extra names the package with CUDA's libraries, for the releases that can load those."""
    text = (Path(gpu.__file__).parents[1] / "pyproject.toml").read_text()
    (line,) = re.findall(r'^gpu = \["(.+)"\]', text, re.MULTILINE)
    requirement = Requirement(line)
    assert (requirement.name, requirement.extras) == (gpu.GPU, {"cuda", "cudnn"})
    assert not requirement.specifier.contains("1.20.2")
    assert requirement.specifier.contains("1.31.1")


@needs_compiler
def test_before_anything_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file runs by itself, without any package, and asks the driver through its library."""
    folder = compile_library(tmp_path / "libcuda.so.1", "libcuda.c").parent
    command = [sys.executable, "-I", "-S", gpu.__file__, "--check", "1"]
    missing = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stderr) == (1, f"error: {NO_DRIVER}\n")
    for cards, code in (("1", 0), ("0", 1)):
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
        monkeypatch.setenv("LIPSYNC_TEST_CARDS", cards)
        assert subprocess.run(command, check=False).returncode == code
