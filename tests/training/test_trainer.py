from __future__ import annotations

import io
import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from training.corpus import Corpus
from training.network import Speaker
from training.schedule import Budget
from training.trainer import Trainer, TrainerConfig


def make(corpus: Corpus, steps: int, seed: int = 0) -> Trainer:
    torch.manual_seed(seed)
    config = TrainerConfig(
        width=0.5, batch_size=2, budget=Budget(steps=steps), shares=(0.3, 0.2, 0.25, 0.25), threads=2
    )
    return Trainer(config, Corpus(corpus.takes, corpus.faces, np.random.default_rng(seed)), Speaker(0.5))


Run = tuple[list[float], dict[str, torch.Tensor]]


@pytest.fixture(autouse=True)
def small_sketches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two frames show as well as eight whether a step is the same again."""
    monkeypatch.setattr("training.painting.SKETCH_FRAMES", 2)


@pytest.fixture(scope="module")
def unbroken() -> Callable[[Corpus], Run]:
    """Return the losses and the averaged weights of six steps in one go, made once."""
    runs: list[Run] = []

    def run(corpus: Corpus) -> Run:
        if not runs:
            trainer = make(corpus, 6)
            runs.append(([record.loss for record in trainer.records()], trainer.average.state_dict()))
        return runs[0]

    return run


def test_stages_in_turn(corpus: Corpus) -> None:
    """Listen, place, sketch, paint, by their shares; steps count from 1 and time never goes back."""
    records = list(make(corpus, 6).records())
    assert [record.stage for record in records] == ["listen"] * 2 + ["place"] + ["sketch"] * 2 + ["paint"]
    assert [record.step for record in records] == list(range(1, 7))
    assert all(a.elapsed_s < b.elapsed_s for a, b in itertools.pairwise(records))


@pytest.mark.parametrize("interrupted_after", [1, 2, 4])
def test_a_resumed_run_is_the_same_run(
    corpus: Corpus, unbroken: Callable[[Corpus], Run], interrupted_after: int
) -> None:
    """Stopped in any stage, saved, loaded into a fresh trainer, it ends with the very weights of an unbroken run."""
    losses, weights = unbroken(corpus)
    first = make(corpus, 6)
    for record in first.records():
        if record.step == interrupted_after:
            break
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = make(corpus, 6, seed=99)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert [record.loss for record in second.records()] == losses[interrupted_after:]
    for key, value in weights.items():
        assert torch.equal(second.average.state_dict()[key], value), key


def test_the_average_follows_the_weights(corpus: Corpus) -> None:
    """After one step it is 2/11 of the start and 9/11 of the new weights; statistics are taken over."""
    trainer = make(corpus, 6)
    key = "encoder.audio_encoder.12.conv_block.0.weight"
    start = trainer.speaker.state_dict()[key].clone()
    next(trainer.records())
    now = trainer.speaker.state_dict()
    torch.testing.assert_close(trainer.average.state_dict()[key], start * 2 / 11 + now[key] * 9 / 11)
    statistics = "encoder.audio_encoder.0.conv_block.1.running_mean"
    assert torch.equal(trainer.average.state_dict()[statistics], now[statistics])


def test_a_spent_budget(corpus: Corpus) -> None:
    """Nothing more is done."""
    trainer = make(corpus, 4)
    trainer.step = 4
    assert list(trainer.records()) == []
