"""benchmarks/stages/identity.py, in a real Triton"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from tritonclient.grpc import model_config_pb2 as schema

from benchmarks.stages.models import IDENTITY
from embedded import EmbeddedConfig
from tests.backends.models import Client, column, write_model
from tests.conftest import running_triton


def test_gives_back_what_it_gets(tmp_path: Path) -> None:
    """What goes in as x comes out as y, of one request and of each that is joined with others."""
    config = schema.ModelConfig(name="same", backend="python", max_batch_size=4)
    config.input.add(name="x", data_type=schema.TYPE_INT32, dims=(1,))
    config.output.add(name="y", data_type=schema.TYPE_INT32, dims=(1,))
    config.instance_group.add(count=1, kind=schema.ModelInstanceGroup.KIND_CPU)
    write_model(tmp_path, config)
    shutil.copyfile(IDENTITY, tmp_path / "same" / "1" / "model.py")
    with running_triton(EmbeddedConfig(model_repository=tmp_path, http_port=0, stop_timeout_s=3)) as servers:
        client = Client(servers[0], tmp_path)
        given = column(3, -7, 2**31 - 1)
        np.testing.assert_array_equal(client.infer("same", ["y"], x=given)["y"], given)
        client.grpc.close()
