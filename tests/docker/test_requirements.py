"""Each image gets what it imports, in the versions that pyproject.toml names."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

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
    return {line.partition(">=")[0].partition("[")[0] for line in lines}


@pytest.mark.parametrize("image", ["triton", "bridge", "triton-gpu", "engines"])
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
