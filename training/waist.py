"""What a trained painter wants to hear, as a function of the mouth that it is to paint.

A U-Net that paints one person's mouth well has learnt what its audio branch should say for each mouth; which voice
said it does not matter. That is read off speech it follows already: the branch's output is described by its principal
components, and a small network learns to tell them from the mouth's pose and its neighbours in time. New voices can
then be taught without painting a single picture: the branch has to say for them what it says for the same mouth now.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from training.network import Speaker
from training.spoken import AROUND, Spoken, SpokenCorpus

__all__ = ["Waist", "learn_waist", "say"]

COMPONENTS = 96
FIT_FRAMES = 1600
"""As many frames as the principal components are computed from."""

SMALLEST_SHARE = 1e-5
SPAN_FRAMES = 48
HIDDEN = 256
ROUNDS = 60
BATCH_SIZE = 64
RATE, DECAY = 2e-3, 0.94
RIDGE = 1e-5


class Pose(nn.Sequential):
    """From the poses around a frame, (B, 7 P), to the components, (B, 96)."""

    def __init__(self, size: int, components: int) -> None:
        super().__init__(
            nn.Linear(size, HIDDEN),
            nn.GELU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.GELU(),
            nn.Linear(HIDDEN, components),
        )


@dataclass(frozen=True)
class Waist:
    """What the audio branch says, in a few numbers.

    Attributes:
        mean: (256 * 10 * 10,) float32 at half width, of the branch's output.
        basis: (256 * 10 * 10, K) float32, orthonormal.
        scale: Of the output's deviation from the mean, root mean square.
        pose_mean: (7 P,), of the poses around a frame.
        pose_scale: (7 P,).
        network: From poses to components.
        readout: (K, P), from components back to a frame's own pose, of mean 0 and variance 1.
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor
    pose_mean: Tensor
    pose_scale: Tensor
    network: Pose
    readout: Tensor

    def components(self, said: Tensor) -> Tensor:
        """Return a branch's output (B, 256, 10, 10) as components (B, K), together of variance 1 or less."""
        result: Tensor = (said.flatten(1) - self.mean) @ self.basis / self.scale
        return result

    def unexplained(self, said: Tensor, components: Tensor) -> Tensor:
        """Return the share of a branch's output that its components leave out, a scalar."""
        whole = (said.flatten(1) - self.mean).square().sum(1) / self.scale**2
        rest: Tensor = (whole - components.square().sum(1)).mean()
        return rest

    @torch.no_grad()
    def wanted(self, poses: Tensor) -> Tensor:
        """Return the components for the poses around frames, (B, 7, P): (B, K)."""
        result: Tensor = self.network((poses.flatten(1) - self.pose_mean) / self.pose_scale)
        return result

    def own_pose(self, poses: Tensor) -> Tensor:
        """Return a frame's own pose, of mean 0 and variance 1, from the poses around it: (B, P)."""
        count = poses.shape[2]
        middle = slice(AROUND * count, (AROUND + 1) * count)
        result: Tensor = ((poses.flatten(1) - self.pose_mean) / self.pose_scale)[:, middle]
        return result


def say(speaker: Speaker, windows: Tensor, layout: Tensor) -> Tensor:
    """Return what encoder and audio branch say: windows (V, 1, 80, 16), layout (F, 16) to (F, 256, 10, 10)."""
    vectors = speaker.encoder(windows)[layout]
    said: Tensor = speaker.unet.audio_model(vectors.reshape(len(layout), -1, 16, 16))
    return said


def learn_waist(speaker: Speaker, takes: list[Spoken], frames: int, rng: np.random.Generator) -> Waist:
    """Find out what a trained speaker's branch says for which mouth.

    Args:
        speaker: In evaluation mode.
        takes: Of voices it was trained on.
        frames: How many to look at.
        rng: What draws them.
    """
    said, poses = _look(speaker, takes, frames, rng)
    mean = said.mean(0)
    said -= mean
    scale = said.square().sum(1).mean().sqrt()
    basis = _basis(said[:FIT_FRAMES])
    components = said @ basis / scale
    pose_mean, pose_scale = poses.mean(0), poses.std(0) + 0.02
    inputs = (poses - pose_mean) / pose_scale
    network = _fit(inputs, components)
    count = poses.shape[1] // (2 * AROUND + 1)
    own = inputs[:, AROUND * count : (AROUND + 1) * count]
    gram = components.T @ components / len(components) + RIDGE * torch.eye(components.shape[1])
    readout = torch.linalg.solve(gram, components.T @ own / len(components))
    return Waist(mean, basis, scale, pose_mean, pose_scale, network, readout)


@torch.no_grad()
def _look(
    speaker: Speaker, takes: list[Spoken], frames: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return what the branch says on clean sound, (frames, 25600), and the poses around, (frames, 7 P)."""
    corpus = SpokenCorpus(takes, rng)
    said, poses = [], []
    for _ in range(-(-frames // (SPAN_FRAMES // 2))):
        span = corpus.draw_span(SPAN_FRAMES, 2, changed=False)
        said.append(say(speaker, span.windows, span.layout).flatten(1))
        poses.append(span.poses.flatten(1))
    return torch.cat(said), torch.cat(poses)


def _basis(centred: Tensor) -> Tensor:
    """Return the leading principal directions of few, long rows, by way of their products with each other."""
    values, vectors = torch.linalg.eigh(centred @ centred.T)  # ascending
    # Frames that were drawn twice add nothing: their directions would be divided by rounding errors.
    count = min(COMPONENTS, int((values > SMALLEST_SHARE * values[-1]).sum()))
    basis: Tensor = (centred.T @ vectors[:, -count:] / values[-count:].sqrt()).flip(1)
    return basis


def _fit(inputs: Tensor, components: Tensor) -> Pose:
    network = Pose(inputs.shape[1], components.shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    for _ in range(ROUNDS):
        for rows in torch.split(torch.randperm(len(inputs)), BATCH_SIZE):
            loss = (network(inputs[rows]) - components[rows]).square().sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] *= DECAY
    return network.requires_grad_(False).eval()
