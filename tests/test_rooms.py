"""The folders' order: imports go one way, and each folder's first line says what it is for."""

import ast
import statistics
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "backends": set(),
    "speech": set(),
    "embedded": set(),
    "bridge": {"speech"},
    "export": {"speech"},
    "training": {"export", "speech"},
    "demo": {"export", "speech"},
    "triton_lipsync": {"bridge", "embedded"},
    "docker": {"export"},
    "benchmarks": {"backends", "bridge", "demo", "embedded", "export", "speech"},
}
"""What each folder builds on. Nobody imports ``tests``, ``demo`` or ``benchmarks``, but ``benchmarks`` the demo."""

ONLY = {"speech": {"numpy", "onnxruntime", "soundfile", "soxr"}}
"""Folders that are held to a few packages."""


def modules(folder: str) -> list[Path]:
    """Return the modules of a folder."""
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of every module that a module imports, at its top or within a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_go_one_way(folder: str) -> None:
    """A folder imports only itself and those below it."""
    allowed = {folder, *MAY_IMPORT[folder]}
    tops = {name.partition(".")[0] for path in modules(folder) for name in imported(path)}
    assert tops & MAY_IMPORT.keys() - allowed == set()


@pytest.mark.parametrize("folder", ONLY)
def test_few_packages(folder: str) -> None:
    """What has to run beside a server needs few packages."""
    import sys

    tops = {name.partition(".")[0] for path in modules(folder) for name in imported(path)}
    assert tops - sys.stdlib_module_names - {folder} <= ONLY[folder]


@pytest.mark.parametrize(
    "folder",
    [
        *MAY_IMPORT,
        "clients/python/lipsync_client",
        "clients/livekit/livekit/plugins/lipsync",
        "clients/pipecat/pipecat_lipsync",
    ],
)
def test_no_circles(folder: str) -> None:
    """Within a folder, too, no module imports one that imports it."""
    base = ROOT.joinpath(*folder.split("/")[:2]) if folder.startswith("clients/") else ROOT
    names = {".".join(path.relative_to(base).with_suffix("").parts): path for path in modules(folder)}
    graph = {}
    for name, path in names.items():
        wanted = {found if found in names else found.rpartition(".")[0] for found in imported(path)}
        graph[name] = {other for other in wanted if other in names and other != name}
    TopologicalSorter(graph).prepare()


def test_modules_are_short() -> None:
    """Half of all modules have 120 lines or fewer, none over 400."""
    lengths = {path: len(path.read_text().splitlines()) for folder in MAY_IMPORT for path in modules(folder)}
    assert max(lengths.values()) <= 400
    assert statistics.median(lengths.values()) <= 120


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT.keys() - {"backends", "docker"}))
def test_first_lines_say_what_a_folder_is_for(folder: str) -> None:
    """The package's docstring is one sentence, and one idea: no semicolon."""
    docstring = ast.get_docstring(ast.parse((ROOT / folder / "__init__.py").read_text()))
    assert docstring
    assert ";" not in docstring.splitlines()[0]
