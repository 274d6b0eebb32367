"""benchmarks/gpu/memory.py"""

import pytest

from benchmarks.errors import NotAvailable
from benchmarks.gpu.memory import FIELDS, describe_card, gpu_name, used_mebibytes


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Put a program of that name first on the path; it runs what it is given, the query as its first argument."""

    def write(script):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return write


def test_what_it_says(nvidia_smi):
    """Names come line by line, and memory is added up."""
    nvidia_smi("printf 'Card A\\nCard B\\n'")
    assert gpu_name() == "Card A"
    nvidia_smi("printf '100\\n20\\n'")
    assert used_mebibytes() == 120


def test_a_card_describes_itself(nvidia_smi):
    """All fields of the first card come from one query, with units."""
    values = [f"{number} MHz" for number in range(len(FIELDS))]
    nvidia_smi(f"echo \"$@\" > $0.asked; echo '{', '.join(values)}'; echo another card")
    assert describe_card() == dict(zip(FIELDS, values, strict=True))


def test_a_field_that_a_driver_lacks(nvidia_smi):
    """One unknown field fails nvidia-smi's whole query; the others are asked for one by one."""
    nvidia_smi(
        'case "$1" in *mig.mode*) echo bad field; exit 2;; *name*) echo Card A;; *) echo " 5 W";; esac'
    )
    found = describe_card(("name", "mig.mode.current", "power.draw"))
    assert found == {"name": "Card A", "power.draw": "5 W"}


def test_it_knows_none_of_it(nvidia_smi):
    """A tool that fails at everything is one sentence."""
    nvidia_smi("exit 9")
    with pytest.raises(
        NotAvailable, match=r"^nvidia-smi is skipped: expected one of name, power.draw, got none$"
    ):
        describe_card(("name", "power.draw"))


def test_no_card_in_its_list(nvidia_smi):
    """A driver without a card lists none."""
    nvidia_smi("true")
    with pytest.raises(NotAvailable, match=r"^nvidia-smi is skipped: expected a GPU, got none$"):
        gpu_name()


def test_memory_it_does_not_tell(nvidia_smi):
    """A slice of a card may not tell its memory."""
    nvidia_smi("echo '[N/A]'")
    with pytest.raises(NotAvailable, match=r"^the card's memory is skipped: expected MiB, got \[N/A\]$"):
        used_mebibytes()


def test_without_a_driver(monkeypatch, tmp_path):
    """Without the driver's tool there is one sentence."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotAvailable, match=r"^nvidia-smi is skipped: "):
        gpu_name()
