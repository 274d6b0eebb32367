"""A bridge with its gRPC service, and the stubs that a client would generate for it."""

from __future__ import annotations

import grpc.aio
import pytest

from bridge.server import serve
from tests.bridge.helpers import config_for
from tests.stubs import compile_stubs


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    """The modules ``*_pb2`` and ``*_pb2_grpc`` of both schemas by name."""
    return compile_stubs(tmp_path_factory.mktemp("stubs"))


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
