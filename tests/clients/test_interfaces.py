"""The transports keep to their interface."""

from __future__ import annotations

import inspect

import pytest

from lipsync_client import grpc_wire, http_wire
from lipsync_client.grpc_transport import AsyncGrpcTransport, GrpcTransport
from lipsync_client.http_transport import AsyncHttpTransport, HttpTransport
from lipsync_client.interfaces import Wire


@pytest.mark.parametrize("transport", [GrpcTransport, AsyncGrpcTransport, HttpTransport, AsyncHttpTransport])
def test_waiting(transport: type) -> None:
    """The transports for asyncio are awaited, the others are not; each translates failures it names."""
    waits = transport.__name__.startswith("Async")
    assert inspect.iscoroutinefunction(transport.send) is waits
    assert inspect.iscoroutinefunction(transport.close) is waits
    assert all(issubclass(kind, Exception) for kind in transport.foreign)


@pytest.mark.parametrize("wire", [grpc_wire, http_wire])
def test_wires(wire: object) -> None:
    """Each protocol makes every call, from the same arguments."""
    for name in ("ready_call", "models_call", "config_call", "infer_call"):
        expected = list(inspect.signature(getattr(Wire, name)).parameters)[1:]
        assert list(inspect.signature(getattr(wire, name)).parameters) == expected
