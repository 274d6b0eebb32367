"""embedded/backends/onnxruntime/batches.py, on stand-ins for cards: their memory is the CPU's, as is the provider."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime import InferenceSession as PlainSession

from demo.weights import UNET_PATH
from export.network.half import to_half
from tests.backends.models import column, table_lookup
from tests.gpu_stand_in.stand_in_runtime import CUDA, Session, allocated

FACE = ("face", "uint8", (320, 320, 3))
AUDIO = ("audio", "float32", (32, 16, 16))
IMAGE = ("image", "uint8", (320, 320, 3))


@pytest.fixture
def open_batches(load, machine):
    """Open a network of one lookup on card 1; returns it and its session."""

    def open_(graphs=None, inputs=(("x", "int32", (1,)),)):
        allocated.clear()
        options = {"device_id": "1", **({"enable_cuda_graph": "1"} if graphs else {})}
        batches = load("batches")
        session = Session(
            table_lookup().SerializeToString(),
            onnxruntime.SessionOptions(),
            [(CUDA, options)],
            enable_fallback=0,
        )
        tensors = [[batches.Tensor(name, np.dtype(dtype), shape) for name, dtype, shape in inputs]]
        tensors.append([batches.Tensor("y", np.dtype("uint8"), (1,))])
        return batches.Batches(session, *tensors, 1, graphs or {}), session

    return open_


def ask(network, *requests):
    """Return the outputs of requests as lists, in place of exceptions their text."""
    outcomes = network.run([{"x": column(*values)} for values in requests])
    return [str(one) if isinstance(one, Exception) else one[0][:, 0].tolist() for one in outcomes]


def test_one_batch_of_all(open_batches):
    """Waiting requests are one run, and each gets its own rows, in its order."""
    network, session = open_batches()
    assert ask(network, [0], [1, 2], [3, 3, 0]) == [[10], [20, 30], [40, 40, 10]]
    assert session.runs == [(6, None)]


def test_memory_is_kept(open_batches):
    """A batch of a size that was met before takes no new memory, and each answer is the caller's own."""
    network, _ = open_batches()
    (first,) = network.run([{"x": column(0, 1)}])
    asked = list(allocated)
    assert asked == [([2, 1], 1), ([2, 1], 1)]
    assert ask(network, [2], [3]) == [[30], [40]]
    assert allocated == asked
    assert first[0].tolist() == [[10], [20]]


def test_only_the_bad_request_fails(open_batches):
    """Where the batch fails, its requests run alone, and only the one with the bad value fails."""
    network, session = open_batches()
    first, bad, last = ask(network, [0], [77], [2])
    assert (first, last) == ([10], [30])
    assert "idx=77" in bad
    assert [size for size, _ in session.runs] == [3, 1, 1, 1]


def test_a_bad_request_alone(open_batches):
    """A request that fails alone is not tried again."""
    network, session = open_batches()
    assert "idx=77" in ask(network, [77])[0]
    assert len(session.runs) == 1


def test_graphs(open_batches):
    """Batches of a graph's size, and those padded to it, run as that graph; others as none, at their own size."""
    network, session = open_batches({1: 1, 4: 3})
    answers = [ask(network, list(range(count)))[0] for count in (1, 2, 3, 4)]
    assert answers == [[10, 20, 30, 40][:count] for count in (1, 2, 3, 4)]
    assert session.runs == [(1, "1"), (2, "-1"), (4, "4"), (4, "4")]


def test_padding_holds_no_bad_value(open_batches):
    """What a padded batch is filled with is never another request's value that failed."""
    network, session = open_batches({4: 2})
    good, bad = ask(network, [0, 1], [0, 77])
    assert good == [10, 20]
    assert "idx=77" in bad
    assert ask(network, [1, 2]) == [[20, 30]]
    assert [size for size, _ in session.runs] == [4, 4, 4, 4]


def test_graphs_that_the_session_lacks(open_batches, monkeypatch):
    """A session that records no graphs is asked for none, and nothing is padded."""
    monkeypatch.setattr(Session, "get_provider_options", lambda self: {CUDA: {"enable_cuda_graph": "0"}})
    network, session = open_batches({4: 1})
    assert ask(network, [1, 2]) == [[20, 30]]
    assert session.runs == [(2, None)]


def test_warm_up(open_batches):
    """Each size is run beforehand, and its graph compared with the network on two batches."""
    network, session = open_batches({1: 1, 4: 3})
    assert network.warm_up([1, 2, 4]) == []
    plain, graph = "-1", ["1", "1", "1"]
    assert session.runs[:5] == [(1, one) for one in (plain, plain, *graph)]
    assert session.runs[5:6] == [(2, plain)]
    assert session.runs[6:] == [(4, one) for one in (plain, plain, "4", "4", "4")]


def test_a_graph_that_replays_what_it_was_recorded_with(load, machine, monkeypatch):
    """A graph that does not follow its inputs is found before any request, and the batch then runs without it."""
    batches = load("batches")
    add = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (uint8[batch, 2] x) => (uint8[batch, 2] y) { y = Identity(x) }'
    )
    options = {"device_id": "0", "enable_cuda_graph": "1"}
    session = Session(
        add.SerializeToString(), onnxruntime.SessionOptions(), [(CUDA, options)], enable_fallback=0
    )
    run = session.run_with_iobinding

    def replay(binding, run_options):
        if run_options.get_run_config_entry("gpu_graph_id") != "4" or (4, "4") not in session.runs:
            run(binding, run_options)

    monkeypatch.setattr(session, "run_with_iobinding", replay)
    ends = [[batches.Tensor(name, np.dtype("uint8"), (2,))] for name in ("x", "y")]
    network = batches.Batches(session, *ends, 0, {1: 1, 4: 3})
    assert network.warm_up([1, 4]) == [4]
    session.runs.clear()
    faces = np.arange(6, dtype=np.uint8).reshape(3, 2)
    (found,) = network.run([{"x": faces}])
    np.testing.assert_array_equal(found[0], faces)
    assert session.runs == [(3, "-1")]


def test_warm_up_fails(open_batches):
    """What the card cannot run is known before any request."""
    network, _ = open_batches(inputs=(("x", "int64", (1,)),))
    with pytest.raises(Exception, match="x"):
        network.warm_up([1])


@pytest.mark.parametrize("tensor", [("x", "int32", (-1,)), ("x", "object", (1,))], ids=["open", "strings"])
def test_tensors_without_a_size(open_batches, load, tensor):
    """A tensor that no memory can be set aside for is refused by name."""
    with pytest.raises(
        load("devices").NoGpu, match=r"^tensor 'x': expected numbers of fixed dims on a GPU, got \("
    ):
        open_batches(inputs=(tensor,))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_network(load, machine, tmp_path, precision):
    """The demo's network gives what ONNX Runtime gives without any of this, to the bit, from a float16 file as well."""
    batches, sessions = load("batches"), load("sessions")
    path = UNET_PATH
    if precision == "fp16":
        path = tmp_path / "model.onnx"
        onnx.save(to_half(onnx.load(UNET_PATH)), path)
    config = {"parameters": {}, "instance_group": [], "max_batch_size": 8}
    session, _ = sessions.open_gpu_session(path, config, 0)
    ends = [
        [batches.Tensor(name, np.dtype(dtype), shape) for name, dtype, shape in end]
        for end in ((FACE, AUDIO), (IMAGE,))
    ]
    network = batches.Batches(session, *ends, 0, {})
    rng = np.random.default_rng(5)
    faces = rng.integers(0, 256, (3, 320, 320, 3)).astype(np.uint8)
    audio = rng.normal(size=(3, 32, 16, 16)).astype(np.float32)
    requests = [{"face": faces[rows], "audio": audio[rows]} for rows in (slice(0, 1), slice(1, 3))]
    found = np.concatenate([outcome[0] for outcome in network.run(requests)])
    plain = PlainSession(path, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(found, plain.run(["image"], {"face": faces, "audio": audio})[0])
