"""Feature vectors of stretches of a corpus, computed once, for a stage that does not train the encoder."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.network.audio_encoder import AveEncoder
from speech.contract import AUDIO_SHAPES
from training.augment import augment
from training.corpus import Corpus, speech_of

__all__ = ["FeatureBank"]

STRETCHES = 64
STRETCH_FRAMES = 64
"""Together 4096 frames: some ten seconds of work on two cores, however long the takes are."""


class FeatureBank:
    """Windows of 16 feature vectors for frames from all over a corpus.

    The stretches and how their sound is changed are the same for the same corpus: a resumed run has the features of
    the first.

    Args:
        corpus: Where the stretches come from; its generator draws the frames.
        encoder: Used once, in evaluation mode; left in the mode it was in.
    """

    def __init__(self, corpus: Corpus, encoder: AveEncoder) -> None:
        self.corpus = corpus
        training = encoder.training
        encoder.eval()
        self._encode(encoder, np.random.default_rng(0))
        encoder.train(training)

    def draw(self, count: int) -> tuple[NDArray[np.int64], Tensor]:
        """Draw frames.

        Returns:
            Their rows of ``Corpus.faces``, (count,), and their windows, (count, 32, 16, 16) float32.
        """
        drawn = self.corpus.rng.integers(len(self._rows), size=count)
        windows = self._vectors[self._layout[drawn]]
        return self._rows[drawn], windows.reshape(-1, *AUDIO_SHAPES["ave"])

    @torch.no_grad()
    def _encode(self, encoder: AveEncoder, rng: np.random.Generator) -> None:
        rows: list[int] = []
        layouts: list[NDArray[np.int64]] = []
        vectors: list[Tensor] = []
        for _ in range(STRETCHES):
            number, first = self.corpus.locate(int(rng.integers(len(self.corpus.faces))))
            take = self.corpus.takes[number]
            frames = np.arange(first, min(first + STRETCH_FRAMES, take.frames[-1] + 1))
            windows, valid, layout = speech_of(take, frames, rng, augment)
            encoded = encoder(torch.from_numpy(windows)[:, None]) * torch.from_numpy(valid)[:, None]
            offset = sum(len(part) for part in vectors)
            vectors.append(encoded)
            for frame, places in zip(frames, layout, strict=True):
                if (row := self.corpus.row(number, int(frame))) is not None:
                    rows.append(row)
                    layouts.append(places + offset)
        self._rows, self._layout, self._vectors = np.array(rows), np.stack(layouts), torch.cat(vectors)
