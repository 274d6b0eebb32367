"""embedded/backends/onnxruntime/model.py on GPUs: a real Triton, with stand-ins for cards and CUDA's provider."""

from __future__ import annotations

import contextlib
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tritonclient.grpc import model_config_pb2 as schema
from tritonclient.utils import InferenceServerException

from embedded import EmbeddedConfig
from tests.backends.models import Client, column, hold, table_lookup, write_model
from tests.conftest import running_triton
from tests.embedded.processes import wait_until
from tests.gpu_stand_in.machine import needs_compiler, put_cards_in

pytestmark = needs_compiler
GPU, CPU = schema.ModelInstanceGroup.KIND_GPU, schema.ModelInstanceGroup.KIND_CPU
ON_CARD = 'device="Stand-in H200",model="{}",provider="CUDA",reason=""'


def network(name: str, kind: int | None = None, gpus: tuple[int, ...] = ()) -> schema.ModelConfig:
    """Return the config of a ``table_lookup`` on ONNX Runtime."""
    config = schema.ModelConfig(
        name=name, backend="onnxruntime", max_batch_size=8, default_model_filename="model.onnx"
    )
    config.input.add(name="x", data_type=schema.TYPE_INT32, dims=(1,))
    config.output.add(name="y", data_type=schema.TYPE_UINT8, dims=(1,))
    config.instance_group.add(count=1, kind=kind, gpus=gpus)
    return config


def write(repository: Path, config: schema.ModelConfig) -> None:
    write_model(repository, config, table_lookup().SerializeToString())


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server on a machine with two cards."""
    folder = tmp_path_factory.mktemp("machine")
    repository = folder / "repository"
    held = network("held", gpus=(0,))
    hold(held, 6)
    held.optimization.cuda.graphs = True
    held.optimization.cuda.graph_spec.add(batch_size=8).graph_lower_bound.batch_size = 5
    faulty = network("faulty", gpus=(1,))
    hold(faulty, 3)
    for config in (held, faulty, network("everywhere"), network("on_cpu", CPU), network("second", GPU, (1,))):
        write(repository, config)
    with pytest.MonkeyPatch.context() as patch:
        put_cards_in(patch, folder, cards=2)
        with running_triton(EmbeddedConfig(model_repository=repository, http_port=0)) as servers:
            patch.undo()  # for other servers
            client = Client(servers[0], repository)
            yield client
            client.grpc.close()


def computes_on(client: Client) -> Counter[str]:
    """Return how many instances the metrics tell of, by their other labels."""
    with urllib.request.urlopen(client.server.metrics_url) as answer:
        text = answer.read().decode()
    found = re.findall(r'^lipsync_compute\{(.*),instance="[^"]+"(.*)\} 1$', text, re.MULTILINE)
    return Counter("".join(labels) for labels in found)


def test_where_each_model_computes(machine: Client) -> None:
    """KIND_AUTO takes every card, KIND_GPU the one named, KIND_CPU none; the metrics say what each has."""
    found = computes_on(machine)
    assert found[ON_CARD.format("everywhere")] == 2
    assert found[ON_CARD.format("second")] == 1
    assert found['device="CPU",model="on_cpu",provider="CPU",reason=""'] == 1


def test_waiting_requests_are_one_batch(machine: Client) -> None:
    """Requests that wait together are one execution on the card, and each gets its own rows."""
    requests = [{"x": column(0)}, {"x": column(1, 2)}, {"x": column(3, 3, 0)}]
    answers = machine.infer_together("held", "y", requests)
    assert [answer[:, 0].tolist() for answer in answers] == [[10], [20, 30], [40, 40, 10]]
    assert answers[1].dtype == np.uint8
    assert machine.batch_sizes("held") == {6: 1}


def test_a_bad_request_fails_alone(machine: Client) -> None:
    """Values that the network fails on are one request's error, and its batch's others get their answers."""
    first, bad, last = machine.infer_together("faulty", "y", [{"x": column(value)} for value in (0, 77, 2)])
    assert (first[0, 0], last[0, 0]) == (10, 30)
    assert isinstance(bad, InferenceServerException)
    assert bad.message().startswith("ONNX Runtime: ")


def test_unloaded_is_not_reported(machine: Client) -> None:
    """A model that is unloaded computes nowhere."""
    write(machine.repository, network("passing"))
    machine.load("passing")
    assert computes_on(machine)[ON_CARD.format("passing")] == 2
    machine.grpc.unload_model("passing", headers=machine.server.grpc_control)
    wait_until(lambda: computes_on(machine)[ON_CARD.format("passing")] == 0 or None)


def test_a_dead_process_is_not_counted(machine: Client) -> None:
    """A model whose process was killed is loaded again, and computes where it did, once."""
    label = ON_CARD.format("second")
    before = machine.stub("second")
    before.kill()
    wait_until(lambda: before.ended() or None)
    wait_until(lambda: (machine.grpc.is_model_ready("second") and answers(machine, "second")) or None)
    assert computes_on(machine)[label] == 1


def answers(client: Client, model_name: str) -> bool:
    """Tell whether a model answers."""
    with contextlib.suppress(InferenceServerException):
        return bool(client.infer(model_name, ["y"], x=column(1))["y"][0, 0] == 20)
    return False


@contextlib.contextmanager
def one_model(folder: Path, hidden: bool = False, **machine: Any) -> Iterator[Client]:
    """Start a server of one network, KIND_AUTO, on a machine with a card, which may be hidden."""
    repository = folder / "repository"
    write(repository, network("anywhere"))
    with pytest.MonkeyPatch.context() as patch:
        put_cards_in(patch, folder, cards=1, **machine)
        if hidden:
            patch.setenv("CUDA_VISIBLE_DEVICES", "")
        with running_triton(EmbeddedConfig(model_repository=repository, http_port=0)) as servers:
            patch.undo()  # for other servers
            client = Client(servers[0], repository)
            yield client
            client.grpc.close()


@pytest.fixture(scope="module")
def lacking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server on a machine with a card, where ONNX Runtime is the package for CPUs."""
    with one_model(tmp_path_factory.mktemp("lacking"), runtime=False) as client:
        yield client


def test_auto_goes_to_the_cpu(lacking: Client) -> None:
    """KIND_AUTO computes on the CPU where the card cannot be used, and the metric has the reason."""
    assert lacking.infer("anywhere", ["y"], x=column(3, 0))["y"][:, 0].tolist() == [40, 10]
    ((labels, count),) = computes_on(lacking).items()
    said = f"the package onnxruntime {onnxruntime.__version__} has no CUDA provider"
    assert labels.startswith(f'device="CPU",model="anywhere",provider="CPU",reason="{said}')
    assert count == 1


def test_gpu_is_refused(lacking: Client) -> None:
    """KIND_GPU is refused there, with the same reason, also where a comment speaks of it in a file that does not."""
    write(lacking.repository, network("demanding", GPU))
    assert "has no CUDA provider: in its place, pip install " in lacking.load_error("demanding")
    write(lacking.repository, network("told"))
    path = lacking.repository / "told" / "config.pbtxt"
    path.write_text(f"# kind: KIND_GPU\n{path.read_text()}")
    lacking.load("told")


def test_gpu_on_a_machine_without(lacking: Client) -> None:
    """A card that is not there is refused by Triton itself, in its own words."""
    write(lacking.repository, network("far", GPU, (3,)))
    assert "specifies invalid or unsupported gpu id 3" in lacking.load_error("far")


def test_hidden_cards(tmp_path: Path) -> None:
    """Cards that are hidden, as `make demo GPU=0` does, are none: nothing is looked for, and no reason is given."""
    with one_model(tmp_path, hidden=True) as client:
        assert computes_on(client) == {'device="CPU",model="anywhere",provider="CPU",reason=""': 1}


def test_card_that_cannot_open_it(tmp_path: Path) -> None:
    """A network that the card cannot open, for want of its memory for example, computes on the CPU."""
    with one_model(tmp_path, refused=("device_id",)) as client:
        ((labels, count),) = computes_on(client).items()
        assert client.infer("anywhere", ["y"], x=column(1))["y"].tolist() == [[20]]
    assert labels.startswith('device="CPU",model="anywhere",provider="CPU",reason="ONNX Runtime cannot load ')
    assert count == 1
