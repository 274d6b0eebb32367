"""backends/jpeg_encode/model.py, in a real Triton"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from backends.jpeg_encode import encoder
from backends.jpeg_encode.encoder import XMP_SEGMENT, encode_jpeg
from embedded import EmbeddedConfig, installation
from embedded.errors import StartFailed
from export.repository.configs import ServingOptions, live_jpeg_configs
from tests.backends.models import Client, write_jpeg_model, write_model
from tests.conftest import running_triton

BACKEND = Path(encoder.__file__).parent
GOOD = {"size": "256", "quality": "95"}
STAYS = (
    "parameter 'FORCE_CPU_ONLY_INPUT_TENSORS': expected yes unless 'device' is gpu and 'size' 0, "
    "as the CPU makes pictures smaller"
)
WITHOUT_PACKAGE = "sys.modules['nvidia.nvimgcodec'] = None"
WITHOUT_DRIVER = "de.DRIVER = 'libnone.so'; de.find_gpu = find"
ON_THE_CPU = "import device_encoder as de; find = de.find_gpu; de.find_gpu = lambda device: de.CPU_ONLY"
"""Has nvImageCodec take its own codec for CPUs where a GPU is asked for: all but the driver and nvJPEG is real."""


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
        ({"device": "tpu"}, "parameter 'device': expected cpu or gpu, got tpu"),
        ({"FORCE_CPU_ONLY_INPUT_TENSORS": "no"}, f"{STAYS}, got no"),
        ({"FORCE_CPU_ONLY_INPUT_TENSORS": "no", "device": "gpu"}, f"{STAYS}, got no"),
        ({"FORCE_CPU_ONLY_INPUT_TENSORS": "no", "size": "0"}, f"{STAYS}, got no"),
    ],
)
def test_parameters_out_of_range(small: Client, parameters: dict[str, str | None], sentence: str) -> None:
    """A parameter that is missing or makes no sense is refused at load, with what was expected."""
    wanted = {key: value for key, value in {**GOOD, **parameters}.items() if value is not None}
    name = f"bad_{'_'.join(f'{key}_{value}' for key, value in parameters.items())}"
    write_jpeg_model(small.repository, name, **wanted)
    assert sentence in small.load_error(name)


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU")
def test_as_exported_for_a_gpu(small: Client) -> None:
    """On a machine without a GPU, what the exporter writes for one is refused by Triton in a sentence of its own."""
    text = live_jpeg_configs(ServingOptions(jpeg_device="gpu"))["config.pbtxt"]
    write_model(small.repository, text_format.Parse(text, schema.ModelConfig()))
    said = "instance group jpeg_live_0 of model jpeg_live has kind KIND_GPU but no GPUs are available"
    assert said in small.load_error("jpeg_live")


@pytest.fixture
def beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Client]]:
    """Start a Triton with encoders that are to work on a GPU, and whose backend begins with some code."""
    folders = [*sys.path, str(BACKEND)]
    with contextlib.ExitStack() as stack:

        def start(code: str) -> Client:
            tried, repository = tmp_path / "backends" / "jpeg_tried", tmp_path / "models"
            shutil.copytree(BACKEND, tried)
            (tried / "model.py").rename(tried / "jpeg_model.py")
            begin = f"import sys\nsys.path += {folders}\n{code}\nfrom jpeg_model import TritonPythonModel\n"
            (tried / "model.py").write_text(begin)
            monkeypatch.setattr(installation, "BACKEND_FOLDERS", (tmp_path / "backends",))
            for name, size in (("native", "0"), ("smaller", "256")):
                write_jpeg_model(repository, name, _tried, size=size, quality="95", device="gpu")
            config = EmbeddedConfig(model_repository=repository, http_port=0, stop_timeout_s=3)
            client = Client(stack.enter_context(running_triton(config))[0], repository)
            stack.callback(client.grpc.close)
            return client

        yield start


def _tried(config: schema.ModelConfig) -> None:
    config.backend = "jpeg_tried"


def test_on_a_gpu(beginning: Callable[[str], Client]) -> None:
    """The device's encoder gets what the network painted, made smaller where asked for, and its files are marked."""
    pytest.importorskip("nvidia.nvimgcodec", reason="it comes with the extra 'jpeg-gpu'")
    client = beginning(ON_THE_CPU)
    images = pictures(5)
    for name, size in (("native", 320), ("smaller", 256)):
        jpegs = client.infer(name, ["jpeg"], image=images)["jpeg"][:, 0].tolist()
        for image, jpeg in zip(images, jpegs, strict=True):
            found, twin = (
                cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR)
                for one in (jpeg, encode_jpeg(image, size, 95))
            )
            assert XMP_SEGMENT in jpeg
            assert cv2.PSNR(found, twin) > 40.0


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (f"{ON_THE_CPU}; {WITHOUT_PACKAGE}", "the package nvidia-nvimgcodec-cu12[nvjpeg]"),
        (f"{ON_THE_CPU}; {WITHOUT_DRIVER}", "the NVIDIA driver, got libnone.so: cannot open"),
    ],
    ids=["package", "driver"],
)
def test_what_a_gpu_lacks(beginning: Callable[[str], Client], code: str, expected: str) -> None:
    """An encoder that is to work on a GPU and lacks a part does not load, and says in one sentence which."""
    with pytest.raises(StartFailed) as caught:
        beginning(code)
    said = rf"failed to load '(\w+)' version 1: model '\1': JPEGs on a GPU: expected {re.escape(expected)}[^\n]*$"
    assert re.search(said, str(caught.value))
