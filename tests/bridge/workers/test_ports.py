"""bridge/workers/ports.py"""

import socket

import pytest

from bridge.config import BridgeConfig
from bridge.errors import ListenError
from bridge.workers.ports import held_ports


def listening(port, *, shared):
    """Return a socket that listens on a port."""
    return socket.create_server(("127.0.0.1", port), reuse_port=shared)


def test_ports_are_found_and_held():
    """Ports left to the system become numbers; while they are held, those who share them listen, and nobody else."""
    with held_ports(BridgeConfig(port=0, grpc_port=0, metrics_port=0)) as config:
        ports = (config.port, config.grpc_port, config.metrics_port)
        assert all(ports)
        assert len(set(ports)) == 3
        with listening(config.port, shared=True), listening(config.port, shared=True):
            pass
        with pytest.raises(OSError, match="in use"):
            listening(config.port, shared=False)
    listening(config.port, shared=False).close()


def test_what_is_off_stays_off():
    """No port is held for what does not listen."""
    with held_ports(BridgeConfig(port=0, grpc_port=-1)) as config:
        assert (config.grpc_port, config.metrics_port) == (-1, -1)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", ["port", "grpc_port", "metrics_port"])
def test_a_port_in_use(name, shared):
    """A port that another one listens on is one sentence, also where that one would share it."""
    with listening(0, shared=shared) as other:
        port = other.getsockname()[1]
        ports = {"port": 0, "grpc_port": -1, name: port}
        with pytest.raises(ListenError) as caught, held_ports(BridgeConfig(**ports)):
            pass
    assert str(caught.value) == f"expected to listen on port {port} of 127.0.0.1, got: address already in use"


def test_no_such_host():
    """An address that is not this machine's is one sentence."""
    with pytest.raises(ListenError), held_ports(BridgeConfig(host="192.0.2.1", port=0)):
        pass
