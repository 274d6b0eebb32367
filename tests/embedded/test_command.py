"""embedded/command.py"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from embedded.command import Server, build_command
from embedded.config import EmbeddedConfig
from embedded.installation import Installation
from tests.embedded.conftest import ROOT

REPOSITORY = ROOT / "model_repository"
SERVER = Server("127.0.0.1", 1, 2, 3)
INSTALLATION = Installation(Path("/home/of/triton"), ())


def command(**settings: object) -> list[str]:
    config = EmbeddedConfig(model_repository=REPOSITORY, **settings)  # type: ignore[arg-type]
    return build_command(config, SERVER, INSTALLATION, Path("/backends"), "prefix_")


def test_addresses() -> None:
    """A server's addresses are those that clients and Prometheus take."""
    assert (SERVER.http_url, SERVER.grpc_url) == ("127.0.0.1:1", "127.0.0.1:2")
    assert SERVER.metrics_url == "http://127.0.0.1:3/metrics"


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


def test_forgiving() -> None:
    """Only a Triton that is started again serves without the models that cannot be loaded."""
    config = EmbeddedConfig(model_repository=REPOSITORY)
    again = build_command(config, SERVER, INSTALLATION, Path("/backends"), "prefix_", forgiving=True)
    assert "--exit-on-error=true" in command()
    assert "--exit-on-error=false" in again


def test_options_that_come_and_go() -> None:
    """A strategy and a response cache are options only when asked for."""
    plain = command(response_cache_bytes=0)
    full = command(strategy="replay", response_cache_bytes=1000)
    assert not [option for option in plain if "cache" in option or "config-name" in option]
    assert {"--model-config-name=replay", "--cache-config=local,size=1000"} < set(full)
