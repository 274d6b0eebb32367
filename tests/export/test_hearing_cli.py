from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from export.hearing_cli import add_audio_encoder, add_features
from export.network.audio_encoder import AveEncoder
from export.network.encoder_weights import open_encoder
from tests.speech.test_wav import pcm16, tone, write


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="export")
    commands = parser.add_subparsers()
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
