"""benchmarks/baselines/process.py"""

import os
from pathlib import Path

import pytest

from benchmarks.baselines import process
from benchmarks.baselines.process import running
from benchmarks.errors import NotAvailable


def test_port_and_end():
    """The port that the program says is yielded; afterwards the program is gone."""
    code = "import os, time; print(f'ready on port {os.getpid()}', flush=True); time.sleep(60)"
    with running("sleeper", ["-c", code]) as pid:
        assert Path(f"/proc/{pid}").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_port_behind_other_words():
    """A program that says much at once, its port last, is heard."""
    code = "import time; print('warming up\\nready on port 7', flush=True); time.sleep(60)"
    with running("talker", ["-c", code]) as port:
        assert port == 7


def test_a_program_that_is_never_ready(monkeypatch: pytest.MonkeyPatch):
    """It is ended, and its last words are told."""
    monkeypatch.setattr(process, "START_LIMIT_S", 5.0)
    said = "^it is skipped: it was not ready within 5 s; its last words: loading$"
    code = "import time; print('loading', flush=True); time.sleep(60)"
    with pytest.raises(NotAvailable, match=said), running("it", ["-c", code]):
        pass


def test_a_program_that_fails():
    """Its last words are the reason why it is skipped."""
    with (
        pytest.raises(
            NotAvailable, match=r"^it is skipped: ModuleNotFoundError: No module named 'nonsense'$"
        ),
        running("it", ["-c", "import nonsense"]),
    ):
        pass
