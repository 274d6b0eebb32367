"""A bridge with its gRPC service, and the stubs that a client would generate for it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import grpc.aio
import pytest
from grpc_tools import protoc

from bridge.lipsyncsrv.schema import PROTOS_FOLDER
from bridge.server import serve
from tests.bridge.helpers import config_for


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    """The modules ``*_pb2`` and ``*_pb2_grpc`` of both schemas by name, compiled from the .proto files."""
    folder = tmp_path_factory.mktemp("stubs")
    protos = sorted(PROTOS_FOLDER.glob("*.proto"))
    options = [f"-I{PROTOS_FOLDER}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    assert protoc.main(["protoc", *options, *map(str, protos)]) == 0
    sys.path.insert(0, str(folder))
    try:
        names = [Path(path).stem for path in folder.glob("*.py")]
        return {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(folder))


@pytest.fixture
def settings():
    """What a test module changes of the bridge's settings."""
    return {}


@pytest.fixture
async def bridge(triton, settings):
    """A bridge whose gRPC service listens on a free port."""
    async with serve(config_for(triton, **{"grpc_port": 0, "shutdown_timeout_s": 2.0, **settings})) as bridge:
        yield bridge


@pytest.fixture
async def channel(bridge):
    async with grpc.aio.insecure_channel(bridge.grpc_address) as channel:
        yield channel


@pytest.fixture
def pb(stubs):
    """The deployed schema's messages."""
    return stubs["optimized_lipsyncsrv_pb2"]


@pytest.fixture
async def deployed(stubs, channel):
    """A deployed client's stub."""
    return stubs["optimized_lipsyncsrv_pb2_grpc"].OptimizedLipSyncServiceStub(channel)


@pytest.fixture
async def short(stubs, channel):
    """The stub of a client of the short schema."""
    return stubs["optimized_lipsyncsrv_short_pb2_grpc"].OptimizedLipSyncServiceStub(channel)
