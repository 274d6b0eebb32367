"""training/waist.py"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.training.test_spoken import FRAMES
from training import waist as waist_module
from training.network import Speaker
from training.spoken import Spoken, SpokenCorpus
from training.waist import Waist, learn_waist, say


@pytest.fixture(scope="module")
def takes() -> list[Spoken]:
    """Two takes whose spectrogram is as loud as the first number of the pose; the second says nothing."""
    takes = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        opening = np.interp(np.arange(FRAMES), np.arange(0, FRAMES + 5, 5), rng.random(FRAMES // 5 + 1))
        loud = np.interp(np.arange(FRAMES * 16 // 5 + 16) * 5 / 16, np.arange(FRAMES), opening)
        mel = np.repeat(8 * loud[None] - 4, 80, 0).astype(np.float32)
        poses = np.stack([opening, np.zeros(FRAMES)], 1).astype(np.float32)
        takes.append(Spoken(mel, poses, np.arange(FRAMES) * 16 // 5, 1.0))
    return takes


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    torch.manual_seed(0)
    return Speaker(0.5).eval()


@pytest.fixture(scope="module")
def waist(speaker: Speaker, takes: list[Spoken]) -> Waist:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waist_module, "SPAN_FRAMES", 16)
        patch.setattr(waist_module, "COMPONENTS", 6)
        return learn_waist(speaker, takes, 160, np.random.default_rng(0))


def test_components_describe_what_is_said(speaker: Speaker, takes: list[Spoken], waist: Waist) -> None:
    """Directions are orthonormal; what they leave out is the rest of the deviation, and little of it."""
    count = waist.basis.shape[1]
    torch.testing.assert_close(waist.basis.T @ waist.basis, torch.eye(count), atol=2e-3, rtol=0)
    span = SpokenCorpus(takes, np.random.default_rng(1)).draw_span(16, 2, changed=False)
    with torch.no_grad():
        said = say(speaker, span.windows, span.layout)
        components = waist.components(said)
        rest = waist.unexplained(said, components)
    deviation = (said.flatten(1) - waist.mean) / waist.scale
    expected = (deviation - components @ waist.basis.T).square().sum(1).mean()
    assert rest.item() == pytest.approx(expected.item(), abs=1e-3)
    assert rest < 0.5 * deviation.square().sum(1).mean()


def test_the_mouth_tells_what_is_said(speaker: Speaker, takes: list[Spoken], waist: Waist) -> None:
    """On spans it did not see, poses tell most of what the branch says, and what it says tells the pose."""
    corpus = SpokenCorpus(takes, np.random.default_rng(2))
    spans = [corpus.draw_span(16, 2, changed=False) for _ in range(6)]
    poses = torch.cat([span.poses for span in spans])
    with torch.no_grad():
        said = torch.cat([waist.components(say(speaker, span.windows, span.layout)) for span in spans])
    error = (waist.wanted(poses) - said).square().sum() / (said - said.mean(0)).square().sum()
    assert error < 0.4
    own = (said @ waist.readout)[:, 0]
    assert np.corrcoef(own, waist.own_pose(poses)[:, 0])[0, 1] > 0.5


def test_frames_seen_twice_do_no_harm(
    speaker: Speaker, takes: list[Spoken], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More frames than the takes have, each several times, still give finite directions of length 1."""
    monkeypatch.setattr(waist_module, "SPAN_FRAMES", 90)
    monkeypatch.setattr(waist_module, "ROUNDS", 1)
    short = learn_waist(speaker, takes[:1], 150, np.random.default_rng(0))
    assert torch.isfinite(short.basis).all()
    torch.testing.assert_close(short.basis.norm(dim=0), torch.ones(short.basis.shape[1]), atol=2e-2, rtol=0)


def test_the_own_pose_is_the_middle_one(waist: Waist) -> None:
    """Of the poses around a frame its own is the fourth, scaled as the network's input is."""
    poses = torch.zeros(1, 7, 2)
    poses[0, 3, 0] = 1.0
    scaled = (poses.flatten(1) - waist.pose_mean) / waist.pose_scale
    torch.testing.assert_close(waist.own_pose(poses), scaled[:, 6:8])
