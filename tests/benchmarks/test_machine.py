"""benchmarks/machine.py"""

import datetime
import platform
from importlib import metadata

from benchmarks.machine import describe_machine, today


def test_description(tmp_path):
    """The line names processor, vector unit, Python and the libraries whose versions matter."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nmodel name\t: Fast CPU\nflags\t\t: fpu avx2 avx512f\n")
    line = describe_machine(cpuinfo)
    assert " cores of Fast CPU (AVX-512), " in line
    assert f"Python {platform.python_version()}, onnxruntime " in line


def test_a_package_under_another_name(tmp_path, monkeypatch):
    """ONNX Runtime's build for cards is named as it is, and what is not installed is left out."""

    def version(name):
        if name in ("onnxruntime", "nvidia-pytriton"):
            raise metadata.PackageNotFoundError(name)
        return "1.31"

    monkeypatch.setattr(metadata, "version", version)
    line = describe_machine(tmp_path / "none")
    assert line.endswith(", onnxruntime-gpu 1.31, grpcio 1.31, websockets 1.31, numpy 1.31")


def test_without_cpuinfo(tmp_path):
    """Where the kernel does not tell, the architecture stands in."""
    assert f" cores of {platform.machine()} (no AVX-512), " in describe_machine(tmp_path / "none")


def test_today():
    """Dates are ISO 8601."""
    assert datetime.date.fromisoformat(today())
