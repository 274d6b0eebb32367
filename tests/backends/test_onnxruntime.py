"""embedded/backends/onnxruntime/model.py, in a real Triton"""

from __future__ import annotations

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from tests.backends.models import Client, column, write_network_model


def thread_count(client: Client, model_name: str) -> int:
    return len(list((client.stub(model_name).folder / "task").iterdir()))


def test_answers(small: Client) -> None:
    """A batch goes through the network and comes back in its order and type."""
    answer = small.infer("one_thread", ["y"], x=column(3, 0, 1))["y"]
    assert answer.dtype == np.uint8
    assert answer[:, 0].tolist() == [40, 10, 20]


def test_intra_op_thread_count(small: Client) -> None:
    """A network given six threads has five more than one given a single thread."""
    assert thread_count(small, "six_threads") - thread_count(small, "one_thread") == 5


def test_execution_mode(small: Client) -> None:
    """In parallel mode, the threads between operators come on top."""
    small.infer("parallel", ["y"], x=column(0))
    assert thread_count(small, "parallel") - thread_count(small, "one_thread") >= 3


def test_waiting_requests_become_one_batch(small: Client) -> None:
    """Requests that wait together are one execution, and each gets its own rows."""
    requests = [{"x": column(0)}, {"x": column(1, 2)}, {"x": column(3, 3, 0)}]
    answers = small.infer_together("held_network", "y", requests)
    assert [answer[:, 0].tolist() for answer in answers] == [[10], [20, 30], [40, 40, 10]]
    assert small.batch_sizes("held_network") == {6: 1}


def test_execution_error_is_answered_per_request(small: Client) -> None:
    """Values that the network fails on are one request's error, and its batch's others get their answers."""
    requests = [{"x": column(0)}, {"x": column(77)}, {"x": column(2)}]
    first, bad, last = small.infer_together("held_network_too", "y", requests)
    assert (first[0, 0], last[0, 0]) == (10, 30)
    assert isinstance(bad, InferenceServerException)
    assert bad.message().startswith("ONNX Runtime: ")
    assert "idx=77 must be within the inclusive range [-4,3]" in bad.message()


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("intra_op_thread_count", "-1", "0 to 1024"),
        ("inter_op_thread_count", "many", "0 to 1024"),
        ("execution_mode", "2", "0 to 1"),
        ("enable_mem_arena", "yes", "0 to 1"),
    ],
)
def test_parameters_out_of_range(small: Client, key: str, value: str, expected: str) -> None:
    """A parameter that makes no sense is refused at load, with what was expected."""
    write_network_model(small.repository, f"bad_{key}", **{key: value})
    assert f"parameter '{key}': expected {expected}, got {value}" in small.load_error(f"bad_{key}")


def test_parameters_of_the_native_backend(small: Client) -> None:
    """Parameters that only the native backend knows do no harm, whatever their values are."""
    write_network_model(small.repository, "native", cudnn_conv_algo_search="EXHAUSTIVE", enable_mem_arena="0")
    small.load("native")
    assert small.infer("native", ["y"], x=column(1))["y"][0, 0] == 20


def test_corrupt_network(small: Client) -> None:
    """A file that is no network is refused with its path."""
    write_network_model(small.repository, "corrupt", network=b"no network")
    error = small.load_error("corrupt")
    assert f"ONNX Runtime cannot load {small.repository / 'corrupt' / '1' / 'model.onnx'}: " in error


def test_missing_network(small: Client) -> None:
    """A missing file is named, with the command that makes it."""
    write_network_model(small.repository, "absent")
    path = small.repository / "absent" / "1" / "model.onnx"
    path.unlink()
    error = small.load_error("absent")
    assert f"expected the network in {path}, got no such file; import the avatar again: " in error


def test_other_file_name(small: Client) -> None:
    """The file may have the name that the config gives it."""
    write_network_model(small.repository, "renamed", file_name="best.onnx")
    small.load("renamed")
    assert small.infer("renamed", ["y"], x=column(2))["y"][0, 0] == 30
