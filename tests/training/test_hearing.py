"""training/hearing.py"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from tests.training.test_waist import speaker, takes, waist  # noqa: F401
from training import hearing
from training.hearing import HearingConfig, teach
from training.network import Speaker
from training.schedule import Budget
from training.spoken import Spoken, SpokenCorpus
from training.waist import Waist, say


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a step cheap."""
    for name, value in {"LISTEN_BATCH": 16, "SPAN": 8, "SPAN_SHARDS": 2, "EXAMPLES": 32}.items():
        monkeypatch.setattr(hearing, name, value)


def config(steps: int, gain: float = 1.0) -> HearingConfig:
    return HearingConfig(budget=Budget(steps=steps), opening_gain=gain, weights=(1.0, 1.0), threads=2)


def pupil() -> Speaker:
    torch.manual_seed(1)
    return Speaker(0.5).eval()


def distance(speaker: Speaker, waist: Waist, takes: list[Spoken]) -> float:  # noqa: F811
    """Return how far what a speaker says is from what the painter wants."""
    corpus = SpokenCorpus(takes, np.random.default_rng(9))
    with torch.no_grad():
        spans = [corpus.draw_span(16, 2, changed=False) for _ in range(4)]
        return sum(
            (waist.components(say(speaker, s.windows, s.layout)) - waist.wanted(s.poses))
            .square()
            .sum(1)
            .mean()
            .item()
            for s in spans
        ) / len(spans)


def test_a_speaker_learns_to_say_what_is_wanted(waist: Waist, takes: list[Spoken]) -> None:  # noqa: F811
    """A network that knew nothing comes nearer to what the painter wants, and the painter is not touched."""
    speaker = pupil()  # noqa: F811
    before = distance(speaker, waist, takes)
    painter = copy.deepcopy(speaker.unet.up5.state_dict())
    told = list(teach(speaker, SpokenCorpus(takes, np.random.default_rng(0)), waist, config(30)))
    assert [heard.stage for heard in told] == ["listen"] * 6 + ["say"] * 24
    assert [heard.step for heard in told] == list(range(1, 31))
    assert distance(speaker, waist, takes) < 0.7 * before
    for key, value in speaker.unet.up5.state_dict().items():
        torch.testing.assert_close(value, painter[key], rtol=0, atol=0)


def test_the_same_seed_teaches_the_same(waist: Waist, takes: list[Spoken]) -> None:  # noqa: F811
    """Two runs of as many steps end with the same weights, whatever the threads did."""
    ends = []
    for _ in range(2):
        speaker = pupil()  # noqa: F811
        for _heard in teach(speaker, SpokenCorpus(takes, np.random.default_rng(3)), waist, config(4)):
            pass
        ends.append(speaker.encoder.state_dict())
    for key, value in ends[0].items():
        torch.testing.assert_close(value, ends[1][key], rtol=0, atol=0)


def test_interrupted_it_ends_with_what_was_learnt(waist: Waist, takes: list[Spoken]) -> None:  # noqa: F811
    """After the step in which it is interrupted the speaker holds the mean of the weights so far."""
    speaker = pupil()  # noqa: F811
    before = copy.deepcopy(speaker.encoder.state_dict())
    corpus = SpokenCorpus(takes, np.random.default_rng(0))
    assert len(list(teach(speaker, corpus, waist, config(30), lambda: True))) == 1
    assert not speaker.training
    weight = "audio_encoder.0.conv_block.0.weight"
    assert not torch.equal(speaker.encoder.state_dict()[weight], before[weight])


def test_a_wider_mouth_is_asked_for(waist: Waist, takes: list[Spoken]) -> None:  # noqa: F811
    """With a gain the wanted opening is that much larger, and no more than a mouth can."""
    lesson = hearing._Lesson(pupil(), SpokenCorpus(takes, np.random.default_rng(0)), waist, config(1, 1.5))
    span = lesson.corpus.draw_span(8, 2)
    seen: list[torch.Tensor] = []

    def watch(poses: torch.Tensor) -> torch.Tensor:
        seen.append(poses)
        return waist.wanted(poses)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            lesson,
            "waist",
            type(
                "Watched",
                (),
                {
                    "wanted": staticmethod(watch),
                    **{
                        name: getattr(waist, name)
                        for name in ("components", "unexplained", "own_pose", "readout")
                    },
                },
            ),
        )
        lesson._said(lesson.ear, span)
    expected = (span.poses[..., 0] * 1.5).clamp(max=hearing.LARGEST_POSE)
    torch.testing.assert_close(seen[0][..., 0], expected)
    torch.testing.assert_close(seen[0][..., 1], span.poses[..., 1])
