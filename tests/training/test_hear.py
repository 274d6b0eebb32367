"""training/hear.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from demo.recording import excerpt, read_recording
from demo.spoken import write_spoken
from demo.weights import AUDIO_ENCODER_PATH, UNET_PATH
from export.network.audio_encoder import load_encoder
from export.network.unet import UNet
from training import hearing
from training.hear import main

FILES = ["--unet", str(UNET_PATH), "--encoder", str(AUDIO_ENCODER_PATH)]


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds of the demo's speech."""
    folder = tmp_path_factory.mktemp("hear") / "take"
    write_spoken(folder, excerpt(read_recording("served"), 5.0))
    return folder


def test_the_demo_is_taught(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, take: Path
) -> None:
    """Two steps from the files that ship leave a run's networks, which load under their published names."""
    for name, value in {
        "LISTEN_BATCH": 4,
        "SPAN": 8,
        "SPAN_SHARDS": 1,
        "EXAMPLES": 16,
        "SHARES": (0.5, 0.5),
    }.items():
        monkeypatch.setattr(hearing, name, value)
    monkeypatch.setattr("training.hear.WAIST_FRAMES", 60)
    monkeypatch.setattr("signal.signal", lambda *args: None)
    run = tmp_path / "run"
    words = [str(take), "--known", str(take), *FILES, "--output", str(run), "--steps", "2", "--threads", "1"]
    assert main([*words, "--opening-gain", "1.1", "--weights", "2", "2", "1", "1", "1", "1"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == ["2 takes, 0.2 min", f"networks in {run}"]
    assert sorted(path.name for path in run.iterdir()) == ["audio_encoder.pth", "unet.pth"]
    load_encoder(run / "audio_encoder.pth")
    UNet("ave", 0.5).load_state_dict(torch.load(run / "unet.pth", weights_only=True))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--weights", "1", "2"], "expected poses of 2 numbers, one for each weight, got 6"),
        (["--unet", "nothing.onnx"], "nothing.onnx"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, take: Path, words: list[str], complaint: str
) -> None:
    """Weights for other poses, or a file that is not there, end the command with status 1 and a sentence."""
    base = [str(take), "--known", str(take), *FILES, "--output", str(tmp_path / "run"), "--steps", "1"]
    assert main([*base, *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert complaint in error
    assert error.count("\n") == 1


def test_poses_of_another_kind_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, take: Path
) -> None:
    """A take whose poses have other numbers than the first one's is named."""
    other = tmp_path / "other"
    write_spoken(other, excerpt(read_recording("served"), 5.0))
    np.save(other / "pose.npy", np.load(other / "pose.npy")[:, :3])
    words = [str(other), "--known", str(take), *FILES, "--output", str(tmp_path / "run"), "--steps", "1"]
    assert main(words) == 1
    assert f"{other}: expected poses of 6 numbers, as in {take}, got 3" in capsys.readouterr().err
