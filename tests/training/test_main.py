"""training/__main__.py"""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from training.__main__ import _stop, main
from training.schedule import Budget
from training.trainer import SHARES_WITH_ENCODER


def test_settings_of_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every option reaches the run's settings; with an encoder there is no listening stage."""
    seen = []
    monkeypatch.setattr("training.run.train", lambda config, interrupted: seen.append(config))
    monkeypatch.setattr("signal.signal", lambda *args: None)
    words = "a b --output run --minutes 1.5 --batch-size 4 --seed 7 --width 1.0 --encoder e.pth --resume"
    assert main([*words.split(), "--threads", "3"]) == 0
    config = seen[0]
    assert config.datasets == (Path("a"), Path("b"))
    assert (config.output, config.encoder, config.seed, config.resume) == (
        Path("run"),
        Path("e.pth"),
        7,
        True,
    )
    assert (config.trainer.width, config.trainer.batch_size, config.trainer.threads) == (1.0, 4, 3)
    assert config.trainer.budget == Budget(minutes=1.5)
    assert config.trainer.shares == SHARES_WITH_ENCODER


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("a --output run", "one of the arguments --steps --minutes is required"),
        ("a --output run --steps 0", "expected an integer of 1 or more, got '0'"),
        ("a --output run --minutes nan", "expected a number above 0, got 'nan'"),
        ("a --output run --steps 5 --width 2", "invalid choice: 2.0"),
        ("--output run --steps 5", "DATASET_DIR"),
    ],
)
def test_bad_arguments(capsys: pytest.CaptureFixture, words: str, complaint: str) -> None:
    """A run without a budget, or with a value out of range, does not start."""
    with pytest.raises(SystemExit):
        main(words.split())
    assert complaint in capsys.readouterr().err


def test_the_first_interrupt_lets_a_step_finish() -> None:
    """Ctrl-C is noted; the next one ends the process as usual."""
    before = signal.getsignal(signal.SIGINT)
    try:
        stop = threading.Event()
        _stop(stop)
        assert stop.is_set()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
