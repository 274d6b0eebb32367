"""What a run leaves on disk, each file whole or not at all."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from export.errors import BadCheckpoint, BadSource
from export.files import replacing_file
from export.network.audio_encoder import PREFIX
from training.network import Speaker
from training.plot import draw_curve
from training.trainer import Record

__all__ = ["RunFolder", "save_networks"]

STATE, UNET, ENCODER = "checkpoint.pt", "unet.pth", "audio_encoder.pth"
TABLE, CURVE, SAMPLES = "loss.csv", "loss.png", "samples"
COLUMNS = ("step", "stage", "elapsed_s", "loss")


class RunFolder:
    """The folder of one run.

    ``checkpoint.pt`` resumes it; ``unet.pth`` and ``audio_encoder.pth`` are what it made, under the published names;
    ``loss.csv``, ``loss.png`` and ``samples/<step>.jpg`` say how it went; ``cache/`` may be deleted.

    Args:
        path: The folder; made if need be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cache = path / "cache"
        self.history: list[Record] = []
        path.mkdir(parents=True, exist_ok=True)

    @property
    def has_run(self) -> bool:
        """Whether there is a run to resume."""
        return (self.path / STATE).is_file()

    def check_fresh(self) -> None:
        """Check that no run would be overwritten.

        Raises:
            BadSource: If there is one.
        """
        if self.has_run:
            raise BadSource(self.path, "a folder without a run, or --resume", f"a run ({STATE})")

    def load(self) -> dict[str, Any]:
        """Return the state of the run to resume, and take up its history.

        Raises:
            BadCheckpoint: If there is none, or it is damaged.
        """
        path = self.path / STATE
        try:
            state: Any = torch.load(path, map_location="cpu", weights_only=True)
            self.history = [Record(*row) for row in state.pop("history")]
        except FileNotFoundError as exc:
            raise BadCheckpoint(path, "a run to resume", "nothing there") from exc
        except (
            pickle.UnpicklingError,
            EOFError,
            RuntimeError,
            ValueError,
            OSError,
            KeyError,
            TypeError,
        ) as exc:
            raise BadCheckpoint(path, "a whole run", f"a file that is none ({type(exc).__name__})") from exc
        return dict(state)

    def save(self, state: Mapping[str, Any], average: Speaker) -> None:
        """Write the state, the networks, the table and the curve."""
        rows = [(record.step, record.stage, record.elapsed_s, record.loss) for record in self.history]
        _save_tensors(self.path / STATE, {**state, "history": rows})
        save_networks(self.path, average)
        with replacing_file(self.path / TABLE) as new, new.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows((step, stage, f"{at:.1f}", f"{loss:.6f}") for step, stage, at, loss in rows)
        self._save_picture(self.path / CURVE, draw_curve(self.history))

    def save_sample(self, step: int, rows: Sequence[NDArray[np.uint8]]) -> None:
        """Write ``samples/<step>.jpg``: strips of pictures, each (n, 320, 320, 3) uint8 BGR, one below the other."""
        folder = self.path / SAMPLES
        folder.mkdir(exist_ok=True)
        strips = [np.concatenate(list(row), axis=1) for row in rows]
        self._save_picture(folder / f"{step:06d}.jpg", np.concatenate(strips))

    def _save_picture(self, path: Path, picture: NDArray[np.uint8]) -> None:
        ok, data = cv2.imencode(path.suffix, picture)
        assert ok
        with replacing_file(path) as new:
            new.write_bytes(data.tobytes())


def save_networks(folder: Path, speaker: Speaker) -> None:
    """Write ``unet.pth`` and ``audio_encoder.pth`` into a folder, under the published names.

    Raises:
        OSError: If the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _save_tensors(folder / UNET, speaker.unet.state_dict())
    encoder = speaker.encoder.state_dict()
    _save_tensors(folder / ENCODER, {key.removeprefix(PREFIX): value for key, value in encoder.items()})


def _save_tensors(path: Path, content: Mapping[str, Any]) -> None:
    with replacing_file(path) as new:
        torch.save(dict(content), new)
