"""A person for tests: an ellipse for a mouth that is as open as its tone is loud."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from training.codes import mouth_codes
from training.corpus import Corpus
from training.faces import cached_faces
from training.takes import Take, open_take

FRAMES = 40
SIZE_PX = 120
POINTS = 110


def write_take(folder: Path, frames: int = FRAMES, seed: int = 0) -> Path:
    """Write a dataset folder of ``frames`` frames."""
    rng = np.random.default_rng(seed)
    opening = np.interp(np.arange(frames), np.arange(0, frames + 4, 4), rng.random(frames // 4 + 1))
    for name in ("full_body_img", "landmarks"):
        (folder / name).mkdir(parents=True)
    for index, share in enumerate(opening):
        picture = np.full((SIZE_PX, SIZE_PX, 3), (150, 180, 220), np.uint8)
        cv2.ellipse(picture, (60, 68), (18, 2 + int(12 * share)), 0, 0, 360, (40, 30, 90), -1)
        cv2.imwrite(str(folder / "full_body_img" / f"{index}.jpg"), picture)
        points = np.zeros((POINTS, 2), int)
        points[1], points[31], points[52] = (10, 50), (110, 50), (60, 10)
        (folder / "landmarks" / f"{index}.lms").write_text("".join(f"{x} {y}\n" for x, y in points))
    write_sound(folder / "aud.wav", opening)
    return folder


def write_sound(path: Path, opening: np.ndarray) -> None:
    """Write a buzz of 120 Hz whose loudness follows ``opening``, one value a frame."""
    time_s = np.arange(640 * len(opening)) / 16_000
    loudness = np.interp(time_s * 25, np.arange(len(opening)), opening)
    buzz = (time_s * 120 % 1 - 0.5) * loudness
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((buzz * 30_000).astype("<i2").tobytes())


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """A team has threads of its own; torch's would wait for each other, busily, between small operations."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def take_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset folder of 40 frames; not to be changed."""
    return write_take(tmp_path_factory.mktemp("takes") / "first")


@pytest.fixture(scope="session")
def takes(take_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Take]:
    """Two takes, of 40 and 32 frames."""
    second = write_take(tmp_path_factory.mktemp("takes") / "second", 32, seed=1)
    return [open_take(take_folder), open_take(second)]


@pytest.fixture
def corpus(takes: list[Take], tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Both takes, and draws from seed 0."""
    cache = tmp_path_factory.getbasetemp() / "cache"
    return Corpus(takes, cached_faces(cache, takes), np.random.default_rng(0))


@pytest.fixture(scope="session")
def codes_once() -> Callable[[torch.Tensor], torch.Tensor]:
    """The mouths' codes, which take seconds, computed once for the same pictures."""
    known: dict[bytes, torch.Tensor] = {}

    def codes(thumbnails: torch.Tensor) -> torch.Tensor:
        key = thumbnails.numpy().tobytes()
        if key not in known:
            known[key] = mouth_codes(thumbnails)
        return known[key].clone()

    return codes


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, codes_once: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Make everything small that a stage does at once, and nothing twice."""
    monkeypatch.setattr("training.listening.mouth_codes", codes_once)
    monkeypatch.setattr("training.listening.LISTEN_BATCH", 16)
    monkeypatch.setattr("training.listening.PLACE_BATCH", 8)
    monkeypatch.setattr("training.features.STRETCHES", 2)
    monkeypatch.setattr("training.painting.CALIBRATION_BATCHES", 1)
