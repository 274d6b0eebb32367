from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from export.audio_encoder import AveEncoder
from export.speech import open_encoder
from export.train.schedule import Budget
from export.train.trainer import SHARES_WITH_ENCODER
from export.training_cli import _stop, add_audio_encoder, add_features, add_train
from tests.export.test_wav import pcm16, tone, write


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="export")
    commands = parser.add_subparsers()
    add_train(commands.add_parser("train"))
    add_features(commands.add_parser("features"))
    add_audio_encoder(commands.add_parser("audio-encoder"))
    return parser


def test_features_are_written(
    parser: argparse.ArgumentParser, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A second of sound gives 24 vectors of 512, under a name and a folder of the user's choice."""
    torch.save(AveEncoder().state_dict(), tmp_path / "encoder.pth")
    sound = write(tmp_path / "aud.wav", pcm16(tone(16_000, seconds=1.0)))
    output = tmp_path / "new" / "aud_ave.npy"
    args = parser.parse_args(
        ["features", str(sound), "--encoder", str(tmp_path / "encoder.pth"), "--output", str(output)]
    )
    args.run(args)
    assert np.load(output).shape == (24, 512)
    assert np.load(output).dtype == np.float32
    assert capsys.readouterr().out == f"wrote {output}: 24 vectors of 512\n"


@pytest.mark.parametrize("compact", [False, True])
def test_an_encoder_becomes_onnx(parser: argparse.ArgumentParser, tmp_path: Path, compact: bool) -> None:
    """The file hears as the checkpoint does, and is half as large where asked for."""
    torch.save(AveEncoder().state_dict(), tmp_path / "encoder.pth")
    output = tmp_path / "new" / "encoder.onnx"
    words = ["audio-encoder", str(tmp_path / "encoder.pth"), str(output), *["--compact"] * compact]
    args = parser.parse_args(words)
    args.run(args)
    mel = np.random.default_rng(0).uniform(-4, 4, (3, 1, 80, 16)).astype(np.float32)
    expected = open_encoder(tmp_path / "encoder.pth")(mel)
    np.testing.assert_allclose(open_encoder(output)(mel), expected, atol=1e-2 if compact else 1e-4)
    size = output.stat().st_size / (tmp_path / "encoder.pth").stat().st_size
    assert size < 0.55 if compact else size > 0.9


def test_settings_of_a_run(
    parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every option reaches the run's settings; with an encoder there is no listening stage."""
    seen = []
    monkeypatch.setattr("export.train.run.train", lambda config, interrupted: seen.append(config))
    monkeypatch.setattr("signal.signal", lambda *args: None)
    words = (
        "train a b --output run --minutes 1.5 --batch-size 4 --seed 7 --width 1.0 --encoder e.pth --resume"
    )
    args = parser.parse_args([*words.split(), "--threads", "3"])
    args.run(args)
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
        ("train a --output run", "one of the arguments --steps --minutes is required"),
        ("train a --output run --steps 0", "invalid positive int value: '0'"),
        ("train a --output run --minutes nan", "invalid positive float value: 'nan'"),
        ("train a --output run --steps 5 --width 2", "invalid choice: 2.0"),
        ("train --output run --steps 5", "DATASET_DIR"),
    ],
)
def test_bad_arguments(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture, words: str, complaint: str
) -> None:
    """A run without a budget, or with a value out of range, does not start."""
    with pytest.raises(SystemExit):
        parser.parse_args(words.split())
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
