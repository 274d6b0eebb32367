"""One training run, from dataset folders to files."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from export.errors import BadCheckpoint
from export.network.audio_encoder import load_encoder
from training.corpus import Corpus
from training.faces import cached_faces
from training.loss import mix_reference
from training.network import Speaker
from training.run_folder import RunFolder
from training.takes import open_take
from training.trainer import Trainer, TrainerConfig

__all__ = ["RunConfig", "train"]

SAVE_EVERY_S = 120.0
SAMPLE_FRAMES = 6

Say = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Settings of ``python -m training``.

    Attributes:
        datasets: Dataset folders, takes of one person.
        output: The run's folder.
        trainer: Network and budget.
        seed: Of weights and draws; a resumed run goes on with its own.
        resume: Go on with the run in ``output``.
        encoder: Audio encoder weights to begin with.
    """

    datasets: tuple[Path, ...]
    output: Path
    trainer: TrainerConfig
    seed: int = 0
    resume: bool = False
    encoder: Path | None = None


def train(config: RunConfig, interrupted: Callable[[], bool] = lambda: False, say: Say = print) -> None:
    """Train, and write the run's folder every two minutes and at the end.

    Args:
        config: Settings.
        interrupted: Asked after each step; the run is saved and ends when it says yes.
        say: Receives a line per fact worth reading.

    Raises:
        BadSource: If a dataset cannot be used, or the folder holds a run and ``resume`` is off.
        BadCheckpoint: If the run to resume, or the encoder, cannot be loaded.
        KeyboardInterrupt: If ``interrupted`` said yes; everything is saved by then.
    """
    folder = RunFolder(config.output)
    state = folder.load() if config.resume else None
    if state is None:
        folder.check_fresh()
    trainer = _make_trainer(config, folder, say)
    if state is not None:
        _check_width(folder, state["width"], config.trainer.width)
        trainer.load_state_dict(state)
        say(f"resuming after step {trainer.step}, {trainer.elapsed_s / 60:.1f} min")
    stopped = _loop(trainer, folder, interrupted)
    _save(trainer, folder)
    say(f"{trainer.step} steps in {trainer.elapsed_s / 60:.1f} min; networks in {folder.path}")
    if stopped:
        raise KeyboardInterrupt


def _make_trainer(config: RunConfig, folder: RunFolder, say: Say) -> Trainer:
    torch.manual_seed(config.seed)
    speaker = Speaker(config.trainer.width)
    if config.encoder is not None:
        speaker.encoder.load_state_dict(load_encoder(config.encoder).state_dict())
    takes = [open_take(path, say) for path in config.datasets]
    faces = cached_faces(folder.cache, takes)
    say(f"{len(takes)} takes, {len(faces)} frames ({len(faces) / 25 / 60:.1f} min)")
    return Trainer(config.trainer, Corpus(takes, faces, np.random.default_rng(config.seed)), speaker)


def _loop(trainer: Trainer, folder: RunFolder, interrupted: Callable[[], bool]) -> bool:
    """Train until the budget is spent or someone interrupts; return whether someone did."""
    saved_s = time.monotonic()
    with tqdm(total=100, unit="%", disable=None, bar_format="{l_bar}{bar}| {elapsed} {postfix}") as bar:
        for record in trainer.records():
            folder.history.append(record)
            bar.set_description(record.stage, refresh=False)
            bar.set_postfix_str(f"step {record.step}, loss {record.loss:.4f}", refresh=False)
            bar.update(round(100 * trainer.spent, 1) - bar.n)
            if interrupted():
                return True
            if time.monotonic() - saved_s > SAVE_EVERY_S:
                _save(trainer, folder)
                saved_s = time.monotonic()
    return False


def _save(trainer: Trainer, folder: RunFolder) -> None:
    folder.save(trainer.state_dict(), trainer.average)
    folder.save_sample(trainer.step, _sample(trainer))


@torch.inference_mode()
def _sample(trainer: Trainer) -> list[NDArray[np.uint8]]:
    """Return strips of references, true frames and painted frames: six of each, the same in every picture."""
    corpus = trainer.corpus
    rows = np.linspace(0, len(corpus.faces) - 1, SAMPLE_FRAMES + 2).astype(np.int64)[1:-1]
    targets = corpus.pictures(rows)
    references = mix_reference(targets, targets.roll(1, 0))
    painted = trainer.average(references, targets, corpus.speech(rows[:, None]))
    return [_to_pictures(faces) for faces in (references, targets, painted)]


def _to_pictures(faces: torch.Tensor) -> NDArray[np.uint8]:
    return np.asarray((faces * 255).byte().permute(0, 2, 3, 1).numpy())


def _check_width(folder: RunFolder, got: float, expected: float) -> None:
    if got != expected:
        raise BadCheckpoint(folder.path, f"a run of width {expected}", f"width {got}")
