"""embedded/interpreter.py"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc

from embedded import EmbeddedConfig
from embedded.interpreter import lay_out_interpreter
from tests.conftest import running_triton

MODEL = """
import numpy
import triton_python_backend_utils as pb_utils

import carried


class TritonPythonModel:
    def execute(self, requests):
        value = numpy.array([carried.VALUE], numpy.int32)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", value)]) for _ in requests]
"""
CONFIG = """
name: "carrier" backend: "python"
input { name: "x" data_type: TYPE_INT32 dims: 1 }
output { name: "y" data_type: TYPE_INT32 dims: 1 }
instance_group { kind: KIND_CPU }
"""


def test_without_a_path_of_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PYTHONPATH names nothing, the stub takes this process's own interpreter, as after activation."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert lay_out_interpreter(tmp_path / "interpreter") == Path(sys.executable).parent
    assert not (tmp_path / "interpreter").exists()


def test_what_it_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter finds what PYTHONPATH names, relative or not, and all that this process finds besides."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "carried.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "packages")
    program = lay_out_interpreter(tmp_path / "interpreter") / "python3"
    code = "import carried, numpy, tritonclient; print(carried.__file__); print(numpy.__file__)"
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [program, "-c", code], env=environment, cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [str(tmp_path / "packages" / "carried.py"), np.__file__]


def test_a_model_finds_carried_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python model in a real Triton imports a package that only PYTHONPATH names."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "carried.py").write_text("VALUE = 42\n")
    version = tmp_path / "models" / "carrier" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL)
    (version.parent / "config.pbtxt").write_text(CONFIG)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    with running_triton(EmbeddedConfig(model_repository=tmp_path / "models", http_port=0)) as servers:
        client = tritonclient.grpc.InferenceServerClient(servers[0].grpc_url)
        tensor = tritonclient.grpc.InferInput("x", [1], "INT32")
        tensor.set_data_from_numpy(np.zeros(1, np.int32))
        assert client.infer("carrier", [tensor]).as_numpy("y") == [42]
        client.close()
