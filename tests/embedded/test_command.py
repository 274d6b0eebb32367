"""embedded/command.py"""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.command import Server, assign_ports, build_command
from embedded.config import EmbeddedConfig
from embedded.errors import BadSetting, PortInUse
from embedded.installation import Installation
from tests.embedded.conftest import ROOT

REPOSITORY = ROOT / "model_repository"
SERVER = Server("127.0.0.1", 1, 2, 3)
INSTALLATION = Installation(Path("/home/of/triton"), ())


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that something listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def command(**settings: object) -> list[str]:
    config = EmbeddedConfig(model_repository=REPOSITORY, **settings)  # type: ignore[arg-type]
    return build_command(config, SERVER, INSTALLATION, Path("/backends"), "prefix_")


def test_addresses() -> None:
    """A server's addresses are those that clients and Prometheus take."""
    assert (SERVER.http_url, SERVER.grpc_url) == ("127.0.0.1:1", "127.0.0.1:2")
    assert SERVER.metrics_url == "http://127.0.0.1:3/metrics"


def test_free_ports_are_distinct() -> None:
    """Twenty processes on free ports get sixty different ones, none of them 0."""
    servers = assign_ports(EmbeddedConfig(model_repository=REPOSITORY, http_port=0, processes=20))
    ports = {port for one in servers for port in (one.http_port, one.grpc_port, one.metrics_port)}
    assert len(servers) == 20
    assert len(ports) == 60
    assert 0 not in ports


@pytest.mark.parametrize("key", ["http_port", "grpc_port", "metrics_port"])
def test_port_in_use(taken_port: int, key: str) -> None:
    """A port that something listens on is named before Triton starts, whichever of the three it is."""
    with pytest.raises(PortInUse) as caught:
        assign_ports(EmbeddedConfig(model_repository=REPOSITORY, **{key: taken_port}))
    assert str(caught.value) == (
        f"expected 127.0.0.1:{taken_port} to be free for Triton, but something listens there already"
    )


@pytest.mark.parametrize("http_port", [0, 8000])
def test_address_of_another_machine(http_port: int) -> None:
    """A host that this machine cannot listen on is a bad setting, not a port in use."""
    with pytest.raises(BadSetting) as caught:
        assign_ports(EmbeddedConfig(model_repository=REPOSITORY, host="192.0.2.1", http_port=http_port))
    assert str(caught.value) == (
        "host: expected an address this machine can listen on, "
        f"got 192.0.2.1:{http_port} (cannot assign requested address)"
    )


def test_command_line() -> None:
    """The binary comes first; ports, backends and the prefix of its shared memory follow as options."""
    binary, *options = command(extra_args=("--log-verbose=1",))
    assert binary == "/home/of/triton/bin/tritonserver"
    assert {"--http-port=1", "--grpc-port=2", "--metrics-port=3", "--backend-directory=/backends"} < set(
        options
    )
    assert f"--model-repository={REPOSITORY}" in options
    assert "--backend-config=python,shm-region-prefix-name=prefix_" in options
    assert options[-1] == "--log-verbose=1"


def test_model_control_is_guarded() -> None:
    """Every command line asks for the secret, and has a place for it in place of the secret itself."""
    options = command(control_secret_file=None)
    assert [
        option.partition("=")[0] for option in options if option.endswith(":lipsync-secret=@secret@")
    ] == [
        "--http-restricted-api",
        "--grpc-restricted-protocol",
    ]
    server = dataclasses.replace(SERVER, secret="sixteen-letters!")
    assert server.http_control == {"lipsync-secret": server.secret}
    assert server.grpc_control == {"triton-grpc-protocol-lipsync-secret": server.secret}
    assert server.secret not in repr(server)


def test_options_that_come_and_go() -> None:
    """A strategy and a response cache are options only when asked for."""
    plain = command(response_cache_bytes=0)
    full = command(strategy="replay", response_cache_bytes=1000)
    assert not [option for option in plain if "cache" in option or "config-name" in option]
    assert {"--model-config-name=replay", "--cache-config=local,size=1000"} < set(full)
