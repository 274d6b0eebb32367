"""backends/frame_lookup/model.py, in a real Triton"""

from __future__ import annotations

import numpy as np
import pytest
from tritonclient.grpc import model_config_pb2 as schema
from tritonclient.utils import InferenceServerException

from tests.backends.models import FRAME_COUNT, Client, FrameData, column, write_frames_model
from tests.backends.test_frames import reference_window

HINT = "import the avatar again: python -m export avatar --help"


@pytest.mark.parametrize("edge_padding", ["zeros", "repeat"])
def test_every_frame(small: Client, frame_data: FrameData, edge_padding: str) -> None:
    """Face, speech window, bounds, source picture and sound of every frame are those of the files."""
    outputs = ["face", "audio", "bounds", "full_frame", "sound"]
    for frame_id in range(FRAME_COUNT):
        answer = small.infer(f"{edge_padding}_frames", outputs, frame_id=column(frame_id))
        window = reference_window(frame_data.features, frame_id, edge_padding)
        np.testing.assert_array_equal(answer["face"][0], frame_data.faces[frame_id])
        np.testing.assert_array_equal(answer["audio"][0], window.reshape(32, 16, 16))
        np.testing.assert_array_equal(answer["bounds"][0], frame_data.bounds[frame_id])
        assert answer["full_frame"][0, 0] == frame_data.full_frames[frame_id]
        np.testing.assert_array_equal(answer["sound"][0], frame_data.sound[frame_id])


def test_batch_equals_single_requests(small: Client) -> None:
    """A batch of 16 ids, out of order and repeated, is answered like its ids one by one."""
    ids = [*range(FRAME_COUNT), *reversed(range(FRAME_COUNT)), 3, 3, 0, 5]
    outputs = ["face", "audio", "bounds", "full_frame", "sound"]
    together = small.infer("zeros_frames", outputs, frame_id=column(*ids))
    alone = [small.infer("zeros_frames", outputs, frame_id=column(one)) for one in ids]
    assert len(ids) == 16
    for name in outputs:
        np.testing.assert_array_equal(together[name], np.concatenate([answer[name] for answer in alone]))


@pytest.mark.parametrize("frame_id", [-1, FRAME_COUNT, 2**31 - 1, -(2**31)])
def test_ids_outside(small: Client, frame_id: int) -> None:
    """An id outside the clip is an invalid argument, and the text names the range."""
    with pytest.raises(InferenceServerException) as caught:
        small.infer("zeros_frames", ["bounds"], frame_id=column(0, frame_id))
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert caught.value.message() == f"frame_id {frame_id} is outside [0, 5] of model 'zeros_frames'"


def test_neighbours_of_a_bad_id(small: Client, frame_data: FrameData) -> None:
    """In one dynamic batch, a bad id fails its own request, and the others get their answers."""
    requests = [{"frame_id": column(1)}, {"frame_id": column(999)}, {"frame_id": column(4)}]
    first, bad, last = small.infer_together("held_frames", "bounds", requests)
    np.testing.assert_array_equal(first[0], frame_data.bounds[1])
    np.testing.assert_array_equal(last[0], frame_data.bounds[4])
    assert bad.status() == "StatusCode.INVALID_ARGUMENT"
    assert bad.message() == "frame_id 999 is outside [0, 5] of model 'held_frames'"
    assert small.batch_sizes("held_frames").keys() == {3}


def test_neighbours_of_a_batch_keep_their_faces(small: Client, frame_data: FrameData) -> None:
    """Requests of one dynamic batch, and those of the next, each get their own faces: none is written over."""
    for ids in ((0, 1, 2), (5, 4, 3), (2, 2, 0)):
        requests = [{"frame_id": column(one)} for one in ids]
        answers = small.infer_together("held_frames", "face", requests)
        for one, answer in zip(ids, answers, strict=True):
            np.testing.assert_array_equal(answer[0], frame_data.faces[one])


def test_full_frame_is_read_only_when_asked_for(small: Client, frame_data: FrameData) -> None:
    """Nothing of the source pictures is read until a request wants one, and then that one."""
    small.infer("lazy_frames", ["bounds"], frame_id=column(2))
    before = bytes_read(small)
    small.infer("lazy_frames", ["bounds"], frame_id=column(2))
    between = bytes_read(small)
    small.infer("lazy_frames", ["bounds", "full_frame"], frame_id=column(2))
    assert bytes_read(small) - between == between - before + len(frame_data.full_frames[2])


def test_faces_are_warm(small: Client) -> None:
    """Every byte of the faces was read before the first request."""
    small.load("lazy_frames")
    assert bytes_read(small) >= FRAME_COUNT * 320 * 320 * 3


def bytes_read(client: Client) -> int:
    """How much the stub of ``lazy_frames`` has read, from whatever file."""
    counts = dict(
        line.split(": ") for line in (client.stub("lazy_frames").folder / "io").read_text().splitlines()
    )
    return int(counts["rchar"])


def test_frame_count_of_the_config(small: Client, frame_data: FrameData) -> None:
    """Data with another number of frames than the config says is refused."""
    write_frames_model(small.repository, "short", frame_data, frame_count=7)
    assert (
        f"frame data of 'short_frames': expected 7 frames (config.pbtxt), got {FRAME_COUNT}; {HINT}"
        in small.load_error("short_frames")
    )


@pytest.mark.parametrize("file", ["bounds", "sound"])
def test_missing_data(small: Client, frame_data: FrameData, file: str) -> None:
    """A missing file, as the sound of avatars imported long ago, is named, with the command that makes it."""
    name = f"without_{file}"
    write_frames_model(small.repository, name, frame_data)
    (small.repository / f"{name}_frames" / "1" / f"{file}.npy").unlink()
    error = small.load_error(f"{name}_frames")
    assert f"frame data of '{name}_frames': " in error
    assert f"{file}.npy" in error
    assert HINT in error


def test_truncated_data(small: Client, frame_data: FrameData) -> None:
    """A truncated file is named, with the command that makes it."""
    write_frames_model(small.repository, "cut", frame_data)
    with (small.repository / "cut_frames" / "1" / "faces.npy").open("r+b") as file:
        file.truncate(100_000)
    error = small.load_error("cut_frames")
    assert (
        "frame data of 'cut_frames': expected faces.npy to hold 1843328 bytes, as its beginning says, got 100000"
        in error
    )
    assert HINT in error


def test_truncated_while_it_is_served(small: Client, frame_data: FrameData) -> None:
    """Frames of a file that was cut short are errors that say so; those before its end go on, in the same process."""
    write_frames_model(small.repository, "cut_later", frame_data)
    small.load("cut_later_frames")
    process = small.stub("cut_later_frames").pid
    with (small.repository / "cut_later_frames" / "1" / "faces.npy").open("r+b") as file:
        file.truncate(1_000_000)
    with pytest.raises(InferenceServerException) as caught:
        small.infer("cut_later_frames", ["face"], frame_id=column(5))
    assert caught.value.status() == "StatusCode.INTERNAL"
    assert caught.value.message() == (
        f"frame data of 'cut_later_frames': expected faces.npy to hold 1843328 bytes, got 1000000; {HINT}"
    )
    answer = small.infer("cut_later_frames", ["face"], frame_id=column(2))
    np.testing.assert_array_equal(answer["face"][0], frame_data.faces[2])
    assert small.stub("cut_later_frames").pid == process


@pytest.mark.parametrize("key", ["frame_count", "edge_padding"])
def test_missing_parameter(small: Client, frame_data: FrameData, key: str) -> None:
    """A config without one of the parameters is refused by its name."""

    def drop(config: schema.ModelConfig) -> None:
        del config.parameters[key]

    write_frames_model(small.repository, f"no_{key}", frame_data, drop)
    error = small.load_error(f"no_{key}_frames")
    assert f"config of 'no_{key}_frames': expected parameter '{key}', got none" in error


def test_unknown_padding(small: Client, frame_data: FrameData) -> None:
    """Another edge padding than the two is refused."""

    def change(config: schema.ModelConfig) -> None:
        config.parameters["edge_padding"].string_value = "mirror"

    write_frames_model(small.repository, "mirror", frame_data, change)
    assert "expected edge_padding zeros or repeat, got 'mirror'" in small.load_error("mirror_frames")
