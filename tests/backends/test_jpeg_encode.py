"""backends/jpeg_encode/model.py, in a real Triton"""

from __future__ import annotations

import numpy as np
import pytest
from tritonclient.grpc import model_config_pb2 as schema

from backends.jpeg_encode.encoder import encode_jpeg
from tests.backends.models import Client, write_jpeg_model

GOOD = {"size": "256", "quality": "95"}


def pictures(count: int) -> np.ndarray:
    """Return (count, 320, 320, 3) uint8, each picture another."""
    rows, columns = np.mgrid[0:320, 0:320] // 2
    return np.stack([np.dstack([rows, columns, rows + 9 * i]) for i in range(count)]).astype(np.uint8)


@pytest.mark.parametrize(("model_name", "size", "quality"), [("jpeg_256", 256, 95), ("jpeg_320", 320, 40)])
def test_parameters(small: Client, model_name: str, size: int, quality: int) -> None:
    """A model encodes with the size and quality of its config."""
    images = pictures(1)
    answer = small.infer(model_name, ["jpeg"], image=images)["jpeg"]
    assert answer.shape == (1, 1)
    assert answer[0, 0] == encode_jpeg(images[0], size, quality)


def test_batch(small: Client) -> None:
    """A batch of 16 gives 16 files, in order."""
    images = pictures(16)
    answer = small.infer("jpeg_256", ["jpeg"], image=images)["jpeg"]
    assert answer[:, 0].tolist() == [encode_jpeg(image, 256, 95) for image in images]
    assert len(set(answer[:, 0])) == 16


def test_requests_side_by_side(small: Client) -> None:
    """Requests of different batch sizes that come together each get their own files."""
    images = pictures(6)
    parts = [images[0:1], images[1:4], images[4:6]]
    answers = small.infer_together("jpeg_256", "jpeg", [{"image": part} for part in parts])
    for part, answer in zip(parts, answers, strict=True):
        assert answer[:, 0].tolist() == [encode_jpeg(image, 256, 95) for image in part]


def test_fewer_threads_than_pictures(small: Client) -> None:
    """An instance beside others has its share of the cores for threads, and its files are in order all the same."""

    def several(config: schema.ModelConfig) -> None:
        config.instance_group[0].count = 2

    write_jpeg_model(small.repository, "jpeg_twice", several, **GOOD)
    small.load("jpeg_twice")
    for count in (1, 2, 5, 16):
        images = pictures(count)
        answer = small.infer("jpeg_twice", ["jpeg"], image=images)["jpeg"]
        assert answer[:, 0].tolist() == [encode_jpeg(image, 256, 95) for image in images]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"size": "15"}, "parameter 'size': expected 16 to 1024, got 15"),
        ({"size": "1025"}, "parameter 'size': expected 16 to 1024, got 1025"),
        ({"quality": "0"}, "parameter 'quality': expected 1 to 100, got 0"),
        ({"quality": "101"}, "parameter 'quality': expected 1 to 100, got 101"),
        ({"quality": "-5"}, "parameter 'quality': expected 1 to 100, got -5"),
        ({"quality": "best"}, "parameter 'quality': expected 1 to 100, got best"),
        ({"quality": None}, "parameter 'quality': expected 1 to 100, got nothing"),
    ],
)
def test_parameters_out_of_range(small: Client, parameters: dict[str, str | None], sentence: str) -> None:
    """A parameter that is missing or makes no sense is refused at load, with what was expected."""
    wanted = {key: value for key, value in {**GOOD, **parameters}.items() if value is not None}
    name = f"bad_{'_'.join(f'{key}_{value}' for key, value in parameters.items())}"
    write_jpeg_model(small.repository, name, **wanted)
    assert sentence in small.load_error(name)
