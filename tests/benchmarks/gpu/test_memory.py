"""benchmarks/gpu/memory.py"""

import pytest

from benchmarks.errors import NotAvailable
from benchmarks.gpu.memory import gpu_name, used_mebibytes


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Put a program of that name first on the path; it prints what it is given."""

    def write(text):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\nprintf '{text}'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return write


def test_what_it_says(nvidia_smi):
    """Names come line by line, and memory is added up."""
    nvidia_smi("Card A\\nCard B\\n")
    assert gpu_name() == "Card A"
    nvidia_smi("100\\n20\\n")
    assert used_mebibytes() == 120


def test_without_a_driver(monkeypatch, tmp_path):
    """Without the driver's tool there is one sentence."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotAvailable, match=r"^nvidia-smi is skipped: "):
        gpu_name()
