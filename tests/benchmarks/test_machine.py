"""benchmarks/machine.py"""

import datetime
import platform

from benchmarks.machine import describe_machine, today


def test_description(tmp_path):
    """The line names processor, vector unit, Python and the libraries whose versions matter."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nmodel name\t: Fast CPU\nflags\t\t: fpu avx2 avx512f\n")
    line = describe_machine(cpuinfo)
    assert " cores of Fast CPU (AVX-512), " in line
    assert f"Python {platform.python_version()}, onnxruntime " in line


def test_without_cpuinfo(tmp_path):
    """Where the kernel does not tell, the architecture stands in."""
    assert f" cores of {platform.machine()} (no AVX-512), " in describe_machine(tmp_path / "none")


def test_today():
    """Dates are ISO 8601."""
    assert datetime.date.fromisoformat(today())
