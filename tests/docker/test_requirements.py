"""Each image gets what it imports: releases within the ranges of pyproject.toml, of known content."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docker.tools import ROOT, run_script
from tests.test_rooms import imported

pytest.importorskip(
    "tomllib", reason="the images have Python 3.11 and newer, whose standard library reads TOML"
)

PROBE = """
import importlib, pathlib, sys
for path in sorted(pathlib.Path({package!r}).rglob("*.py")):
    importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
print(" ".join({{name.partition(".")[0] for name in sys.modules}}))
"""


def names(image: str) -> set[str]:
    """Return the distributions an image gets."""
    lines = run_script("requirements.py", image).stdout.splitlines()
    return {re.split(r"[\[<>=]", line, maxsplit=1)[0] for line in lines}


IMAGES = ("triton", "bridge", "triton-gpu", "engines")
LOCKS = {
    "triton": ["3.11"],
    "bridge": ["3.11"],
    "triton-gpu": ["3.12"],
    "engines": ["3.12"],
    "test": ["3.10", "3.11", "3.12"],
    "agents": ["3.11", "3.12"],
}
"""The Pythons that each lock is for."""

PINNED = re.compile(r"([\w.-]+==[\w.+!]+(?: ; [^\\]+)?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)")
"""A release with its hashes: nothing else stands in a lock, no address of an index above all."""

BY_ITSELF = {"torch", "numpy"}
"""Not in every lock: PyTorch, whose builds differ, and the NumPy of NVIDIA's container."""


def locked(lock: str, python: str) -> dict[str, Requirement]:
    """Return what a lock names for a Python, by normal name."""
    found = [
        Requirement(line) for line, _ in PINNED.findall((ROOT / "requirements" / f"{lock}.txt").read_text())
    ]
    applying = [
        entry for entry in found if entry.marker is None or entry.marker.evaluate(environment(python))
    ]
    by_name = {canonicalize_name(entry.name): entry for entry in applying}
    assert len(by_name) == len(applying), f"{lock}: a distribution twice"
    return by_name


def environment(python: str) -> dict[str, str]:
    """Return what markers see on Linux under a Python."""
    return {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.7",
        "extra": "",
    }


def version(entry: Requirement) -> str:
    """Return the release that a line of a lock names."""
    return str(entry.specifier).removeprefix("==")


def fits(line: str, lock: Mapping[str, Requirement]) -> bool:
    """Return whether a lock has a release in the range of a requirement."""
    wanted = Requirement(line)
    return version(lock[canonicalize_name(wanted.name)]) in wanted.specifier


@pytest.mark.parametrize("name", [*LOCKS, "helm", "../triton", "../detect"])
def test_locks_hold_names_and_hashes_only(name: str) -> None:
    """Every release has its hashes, and nothing tells which index they came from."""
    text = (ROOT / "requirements" / "locks" / f"{name}.txt").read_text()
    assert PINNED.search(text)
    rest = [line for line in PINNED.sub("", text).splitlines() if not line.startswith("#")]
    assert rest == []


@pytest.mark.parametrize(("name", "python"), [(name, python) for name in LOCKS for python in LOCKS[name]])
def test_locks_fit_the_project(name: str, python: str) -> None:
    """Each lock has a release within the range of each requirement, for every Python that it is for."""
    lines = run_script("requirements.py", name).stdout.splitlines()
    lock = locked(f"locks/{name}", python)
    assert lines
    wanted = [line for line in lines if (name, line.partition(">=")[0]) != ("triton-gpu", "numpy")]
    assert [line for line in wanted if not fits(line, lock)] == []


@pytest.mark.parametrize("name", LOCKS)
def test_locks_are_complete(name: str) -> None:
    """What the locked releases need is locked too, as it is installed without looking for dependencies."""
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    lock = locked(f"locks/{name}", here if name == "test" else LOCKS[name][0])
    extras = {"tritonclient": ["grpc", "http"] if name == "test" else ["grpc"], "coverage": ["toml"]}
    looked_at = set()
    for distribution, entry in lock.items():
        try:
            installed = importlib.metadata.distribution(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        if installed.version != version(entry):
            continue
        looked_at.add(distribution)
        for line in installed.requires or []:
            needed = Requirement(line)
            choices = [environment(here) | {"extra": extra} for extra in ["", *extras.get(distribution, [])]]
            if needed.marker is None or any(map(needed.marker.evaluate, choices)):
                assert canonicalize_name(needed.name) in lock.keys() | BY_ITSELF, f"{distribution}: {line}"
    assert looked_at


@pytest.mark.parametrize("name", ["Dockerfile", "gpu.Dockerfile"])
def test_images_are_built_without_a_compiler(name: str) -> None:
    """Images install wheels of known content, and of Debian a Python, certificates and nothing to build with."""
    text = (ROOT / "docker" / name).read_text().replace("\\\n", " ")
    runs = [line for line in text.splitlines() if line.startswith("RUN ")]
    debian = " ".join(re.findall(r"--no-install-recommends\s+([^&]+)", " ".join(runs))).split()
    assert set(debian) <= {"python3", "libpython3.11", "ca-certificates", "python3-venv"}
    installs = [line for line in runs if "pip install" in line]
    by_variables = "ENV PIP_NO_DEPS=1 PIP_REQUIRE_HASHES=1 PIP_ONLY_BINARY=:all:" in text
    flags = ("--no-deps", "--require-hashes", "--only-binary :all:")
    assert installs
    assert all(by_variables or all(flag in line for flag in flags) for line in installs)
    files = [file for line in installs for file in re.findall(r"--requirement (\S+)", line)]
    assert {file.rpartition("/")[2].removesuffix(".txt") for file in files} <= set(IMAGES)


@pytest.mark.parametrize("image", IMAGES)
def test_versions_are_those_of_the_project(image: str) -> None:
    """Every line is one of pyproject.toml's."""
    lines = run_script("requirements.py", image).stdout.splitlines()
    project = (ROOT / "pyproject.toml").read_text()
    assert lines
    assert all(f'    "{line}",\n' in project or f'    "{line}",  #' in project for line in lines)


def test_the_bridge_image_has_what_the_bridge_imports() -> None:
    """No module of the bridge imports a dependency that its image lacks."""
    probe = PROBE.format(package="bridge")
    imported = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True
    )
    distributions = importlib.metadata.packages_distributions()
    used = {
        name.replace("_", "-") for module in imported.stdout.split() for name in distributions.get(module, [])
    }
    everything = {line.split('"')[1].split(">=")[0].split("[")[0] for line in dependency_lines()}
    assert names("bridge") <= used
    assert (used & everything) - names("bridge") == set()
    assert names("triton") | names("bridge") == everything


def dependency_lines() -> list[str]:
    """Return the lines of pyproject.toml's dependencies."""
    text = (ROOT / "pyproject.toml").read_text()
    block = text.partition("\ndependencies = [\n")[2].partition("\n]")[0]
    return block.splitlines()


def test_the_tests_lock_is_of_all_that_they_install() -> None:
    """It has the project's dependencies, those of its extras and of its client; PyTorch is taken as it comes."""
    assert names("test") > names("triton") | names("bridge")
    assert {"av", "pytest", "tensorrt_rtx", "websockets"} <= names("test")
    assert {"torch", "lipsync-client", "triton-lipsync"} & names("test") == set()


def test_what_is_carried_to_a_card() -> None:
    """It is all that serves, with ONNX Runtime in its build for cards instead of the other, and no PyTorch."""
    everything = {line.split('"')[1].split(">=")[0].split("[")[0] for line in dependency_lines()}
    assert names("gpu-benchmark") == everything - {"onnxruntime"} | {"onnxruntime-gpu"}


def test_the_agents_lock_is_of_all_that_they_install() -> None:
    """It has the client's dependencies, those of every adapter and of its tests, and nothing of this project's own."""
    assert {"av", "tritonclient", "websockets", "livekit-agents", "pipecat-ai", "playwright"} <= names(
        "agents"
    )
    assert not any(name.endswith(("-lipsync", "lipsync-client")) for name in names("agents"))


def test_an_unknown_image() -> None:
    """An image that there is not is an error."""
    assert run_script("requirements.py", "nonsense").returncode == 1


def test_the_gpu_image_has_what_embedded_imports() -> None:
    """No module of embedded, the stand-ins aside, imports what the GPU's image lacks."""
    packages = {"grpc": "grpcio", "google": "protobuf", "tritonclient": "tritonclient"}
    for path in (ROOT / "embedded").glob("*.py"):
        tops = {name.partition(".")[0] for name in imported(path)}
        assert tops - sys.stdlib_module_names - {"embedded"} <= packages.keys()
    assert set(packages.values()) <= names("triton-gpu")
