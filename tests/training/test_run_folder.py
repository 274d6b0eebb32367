from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from export.errors import BadCheckpoint, BadSource
from export.network.audio_encoder import load_encoder
from export.network.checkpoint import load_checkpoint
from training.network import Speaker
from training.run_folder import RunFolder
from training.trainer import Record


def saved(path: Path) -> tuple[RunFolder, Speaker]:
    torch.manual_seed(0)
    folder, speaker = RunFolder(path), Speaker(0.5)
    folder.history += [Record(1, "listen", 0.5, 0.75), Record(2, "paint", 1.25, 0.125)]
    folder.save({"step": 2}, speaker)
    return folder, speaker


def test_the_networks_load_where_they_are_needed(tmp_path: Path) -> None:
    """``unet.pth`` is a checkpoint the exporter reads, ``audio_encoder.pth`` has the published file's names."""
    folder, speaker = saved(tmp_path / "run")
    unet = load_checkpoint(folder.path / "unet.pth")
    assert unet.width == 0.5
    assert torch.equal(unet.outc.conv.weight, speaker.unet.outc.conv.weight)
    names = torch.load(folder.path / "audio_encoder.pth", weights_only=True).keys()
    assert "0.conv_block.0.weight" in names
    own = speaker.encoder.state_dict()
    assert all(
        torch.equal(own[k], v)
        for k, v in load_encoder(folder.path / "audio_encoder.pth").state_dict().items()
    )


def test_history_on_disk(tmp_path: Path) -> None:
    """The table has a line per step, the curve is a picture, and a later process reads the history back."""
    folder, _ = saved(tmp_path / "run")
    assert (folder.path / "loss.csv").read_text().splitlines() == [
        "step,stage,elapsed_s,loss",
        "1,listen,0.5,0.750000",
        "2,paint,1.2,0.125000",
    ]
    assert cv2.imread(str(folder.path / "loss.png")).shape == (560, 960, 3)
    again = RunFolder(folder.path)
    assert again.load() == {"step": 2}
    assert again.history == folder.history


def test_sample_pictures(tmp_path: Path) -> None:
    """Strips of pictures lie one below the other, under the step's number."""
    folder = RunFolder(tmp_path / "run")
    folder.save_sample(42, [np.full((3, 320, 320, 3), value, np.uint8) for value in (10, 200)])
    picture = cv2.imread(str(folder.path / "samples" / "000042.jpg"))
    assert picture.shape == (640, 960, 3)
    assert (picture[0, 0] == 10).all()
    assert (picture[-1, -1] == 200).all()


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    """Starting anew where a run lies needs another folder, or --resume."""
    RunFolder(tmp_path / "new").check_fresh()
    folder, _ = saved(tmp_path / "run")
    with pytest.raises(
        BadSource, match=r"expected a folder without a run, or --resume, got a run \(checkpoint.pt\)"
    ):
        folder.check_fresh()


def test_nothing_to_resume(tmp_path: Path) -> None:
    """An empty folder and a damaged checkpoint are each said to be so."""
    with pytest.raises(BadCheckpoint, match="expected a run to resume, got nothing there"):
        RunFolder(tmp_path / "new").load()
    folder, _ = saved(tmp_path / "run")
    state = folder.path / "checkpoint.pt"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(BadCheckpoint, match="expected a whole run, got a file that is none"):
        folder.load()
