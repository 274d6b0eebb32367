from __future__ import annotations

from pathlib import Path

import pytest
import torch

from export.errors import BadCheckpoint, BadSource
from export.network.audio_encoder import AveEncoder, load_encoder
from export.network.checkpoint import load_checkpoint
from training.run import RunConfig, _make_trainer, train
from training.run_folder import RunFolder
from training.schedule import Budget
from training.trainer import TrainerConfig


@pytest.fixture(autouse=True)
def small_sketches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two frames show as well as eight whether a step is the same again."""
    monkeypatch.setattr("training.painting.SKETCH_FRAMES", 2)


def configure(take_folder: Path, output: Path, **changes: object) -> RunConfig:
    width = changes.pop("width", 0.5)
    trainer = TrainerConfig(
        width=width, batch_size=2, budget=Budget(steps=4), shares=(0.25, 0.25, 0.25, 0.25)
    )
    return RunConfig(datasets=(take_folder,), output=output, trainer=trainer, **changes)


def test_a_run_interrupted_and_resumed(take_folder: Path, tmp_path: Path) -> None:
    """Stopped after its second step it has saved everything; resumed, it ends with the weights of an unbroken run."""
    train(configure(take_folder, tmp_path / "unbroken"), say=lambda line: None)
    output, answers, lines = tmp_path / "run", iter([False, True]), []
    with pytest.raises(KeyboardInterrupt):
        train(configure(take_folder, output), lambda: next(answers), lines.append)
    assert lines[0] == "1 takes, 40 frames (0.0 min)"
    load_checkpoint(output / "unet.pth")
    load_encoder(output / "audio_encoder.pth")
    train(configure(take_folder, output, resume=True), say=lines.append)
    assert any(line.startswith("resuming after step 2") for line in lines)
    for name in ("unet.pth", "audio_encoder.pth"):
        expected, got = (torch.load(tmp_path / run / name, weights_only=True) for run in ("unbroken", "run"))
        assert all(torch.equal(got[key], value) for key, value in expected.items())
    assert len((output / "loss.csv").read_text().splitlines()) == 1 + 4
    assert sorted(path.name for path in (output / "samples").iterdir()) == ["000002.jpg", "000004.jpg"]


def test_a_run_may_begin_with_an_encoder(take_folder: Path, tmp_path: Path) -> None:
    """The given weights are the ones the first step starts from; a file of something else is refused."""
    output, weights = tmp_path / "run", tmp_path / "encoder.pth"
    given = AveEncoder().state_dict()
    torch.save(given, weights)
    config = configure(take_folder, output, encoder=weights)
    trainer = _make_trainer(config, RunFolder(output), lambda line: None)
    for networks in (trainer.speaker, trainer.average):
        assert all(torch.equal(networks.encoder.state_dict()[key], value) for key, value in given.items())
    torch.save({"fc.weight": torch.zeros(2, 2)}, weights)
    with pytest.raises(BadCheckpoint, match="audio encoder"):
        train(configure(take_folder, output, encoder=weights), say=lambda line: None)


def test_a_run_of_another_width(take_folder: Path, tmp_path: Path) -> None:
    """A half-width run does not go on at full width."""
    output, answers = tmp_path / "run", iter([True])
    with pytest.raises(KeyboardInterrupt):
        train(configure(take_folder, output), lambda: next(answers), lambda line: None)
    with pytest.raises(BadCheckpoint, match=r"expected a run of width 1\.0, got width 0\.5"):
        train(configure(take_folder, output, resume=True, width=1.0), say=lambda line: None)
    with pytest.raises(BadSource, match="or --resume"):
        train(configure(take_folder, output), say=lambda line: None)
