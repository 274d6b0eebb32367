"""benchmarks/baselines/process.py"""

import os
from pathlib import Path

import pytest

from benchmarks.baselines.process import running
from benchmarks.errors import NotAvailable


def test_port_and_end():
    """The port that the program says is yielded; afterwards the program is gone."""
    code = "import os, time; print(f'ready on port {os.getpid()}', flush=True); time.sleep(60)"
    with running("sleeper", ["-c", code]) as pid:
        assert Path(f"/proc/{pid}").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_that_fails():
    """Its last words are the reason why it is skipped."""
    with (
        pytest.raises(
            NotAvailable, match=r"^it is skipped: ModuleNotFoundError: No module named 'nonsense'$"
        ),
        running("it", ["-c", "import nonsense"]),
    ):
        pass
