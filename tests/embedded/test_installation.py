"""embedded/installation.py"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from embedded import installation
from embedded.errors import NotInstalled
from embedded.installation import find_installation, lay_out_backends

ROOT = Path(__file__).parents[2]
LIBRARY = f"libpython{sys.version_info.major}.{sys.version_info.minor}"


def test_server_binary_runs() -> None:
    """The wheel's binary starts in the environment given for it, and its libraries are found."""
    found = find_installation()
    done = subprocess.run([found.server, "--help"], env=found.environment(), capture_output=True, text=True)
    assert "--model-repository" in done.stdout + done.stderr


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """This Python comes first on PATH, and what the user set stays: libraries after ours, tunables over ours."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/the/users")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=0")
    environment = find_installation().environment()
    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    folders = environment["LD_LIBRARY_PATH"].split(os.pathsep)
    assert folders[-1] == "/the/users"
    assert any((Path(folder) / f"{LIBRARY}.so.1.0").exists() for folder in folders[:-1])
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    assert environment["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1:glibc.malloc.hugetlb=0"


def test_missing_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel, the sentence says how to install it."""
    monkeypatch.setattr(installation, "DISTRIBUTION", "nvidia-pytriton-absent")
    with pytest.raises(NotInstalled) as caught:
        find_installation()
    assert str(caught.value) == (
        "the Triton server (nvidia-pytriton-absent) is not installed: "
        "pip install --no-deps nvidia-pytriton==0.7.0"
    )


def test_requirement() -> None:
    """The sentence names the version that ``requirements/triton.txt`` names."""
    assert f"\n{installation.REQUIREMENT} \\\n" in (ROOT / "requirements" / "triton.txt").read_text()


def test_missing_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that the wheel has no stub for is named, with those it has."""
    monkeypatch.setattr(installation, "STUB", "absent_stub")
    with pytest.raises(NotInstalled) as caught:
        find_installation()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert str(caught.value) == (
        f"a Triton Python backend stub for Python {version} is not installed: use Python 3.10 to 3.12"
    )


def test_missing_libpython(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Python's shared library, the sentence names it and its package."""
    monkeypatch.setattr(installation, "SYSTEM_LIBRARIES", (tmp_path,))
    monkeypatch.setattr(installation.sysconfig, "get_config_var", lambda name: str(tmp_path))
    monkeypatch.setattr(installation.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(installation.sys, "base_prefix", str(tmp_path))
    with pytest.raises(NotInstalled) as caught:
        find_installation()
    assert str(caught.value) == (
        f"Python's shared library {LIBRARY}.so.1.0 is not installed: on Debian and Ubuntu, apt-get install {LIBRARY}"
    )


def test_libpython_of_a_moved_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Python that lies elsewhere than its build configuration says has its shared library beside it."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / f"{LIBRARY}.so.1.0").touch()
    monkeypatch.setattr(installation, "SYSTEM_LIBRARIES", ())
    monkeypatch.setattr(installation.sysconfig, "get_config_var", lambda name: "/install/lib")
    monkeypatch.setattr(installation.sys, "base_prefix", str(tmp_path))
    assert tmp_path / "lib" in find_installation().libraries


def test_backend_directory(tmp_path: Path) -> None:
    """Triton's Python backend, ours and the stand-ins lie side by side, as copies, the stub with its run bit."""
    lay_out_backends(find_installation(), tmp_path / "backends")
    names = {path.name for path in (tmp_path / "backends").iterdir()}
    assert names == {"python", "frame_lookup", "jpeg_encode", "onnxruntime", "tensorrt"}
    assert os.access(tmp_path / "backends" / "python" / "triton_python_backend_stub", os.X_OK)
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]


def test_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In NVIDIA's container its own server is taken, with its backends where they are and its environment as it is."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tritonserver").touch()
    monkeypatch.setattr(installation, "CONTAINER", tmp_path)
    found = find_installation()
    assert found.server == tmp_path / "bin" / "tritonserver"
    assert found.environment() == {"ORT_DISABLE_TELEMETRY": "1", **os.environ}
    assert lay_out_backends(found, tmp_path / "unused") == tmp_path / "backends"
    assert not (tmp_path / "unused").exists()
