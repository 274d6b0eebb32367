"""The file for Swarm says what the programs know, as the Compose file does, in the words that Swarm has for it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

import embedded.__main__ as embedded_main
from bridge.config import load_config
from tests.docker.tools import ROOT

COMPOSE_ONLY = {"restart", "depends_on", "profiles", "security_opt", "shm_size", "tmpfs", "build", "logging"}
"""What `docker stack deploy` reads over."""


def resolved(text: str) -> str:
    """Put the defaults in the places of variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(yaml.safe_load(resolved((ROOT / "docker" / "stack.yml").read_text()))["services"])


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(resolved((ROOT / "docker-compose.yml").read_text())))


def test_nothing_is_left_out_in_silence(services: dict[str, Any]) -> None:
    """No service has a key that Swarm would not act upon."""
    assert all(service.keys() & COMPOSE_ONLY == set() for service in services.values())


def test_the_same_containers_as_composes(services: dict[str, Any], compose: dict[str, Any]) -> None:
    """Images, user, confinement and health checks are those of Compose."""
    checks = {"triton": "x-triton", "bridge": "x-bridge"}
    images = {"triton": compose["services"]["triton"]["image"], "bridge": compose["x-bridge"]["image"]}
    for name, service in services.items():
        assert service["image"] == images[name]
        assert (service["user"], service["read_only"], service["cap_drop"]) == ("10001:10001", True, ["ALL"])
        assert service["healthcheck"]["test"] == compose[checks[name]]["healthcheck"]["test"]


def test_triton_is_filled_and_started(services: dict[str, Any]) -> None:
    """The image's own job fills the volume first, and embedded's parser takes what follows."""
    (line,) = services["triton"]["command"]
    fill, _, start = line.partition(" && exec ")
    assert fill == "python docker/fill_models.py --demo yes"
    words = start.split()
    assert words[:3] == ["python", "-m", "embedded"]
    args = embedded_main._parser("embedded").parse_args(words[3:])
    assert (args.host, args.strategy, str(args.model_repository)) == (
        "0.0.0.0",
        "replay",
        "/models/model_repository",
    )


def test_what_triton_writes_to(services: dict[str, Any]) -> None:
    """/tmp is where programs may be run, which Swarm's tmpfs is not; /dev/shm has the room that Compose gives it."""
    mounts = {mount["target"]: mount for mount in services["triton"]["volumes"] if isinstance(mount, dict)}
    assert mounts["/tmp"]["type"] == "volume"
    assert mounts["/dev/shm"] == {"type": "tmpfs", "target": "/dev/shm", "tmpfs": {"size": 512 << 20}}


def test_the_bridge_takes_its_settings(services: dict[str, Any]) -> None:
    """The real configuration reads them, and every task's address is an upstream."""
    config = load_config([], {key: str(value) for key, value in services["bridge"]["environment"].items()})
    assert config.upstreams == ("dns:///tasks.triton:8001",)
    assert {port["target"] for port in services["bridge"]["ports"]} == {config.port, config.grpc_port}


def test_an_update_takes_no_triton_before_another_is_there(services: dict[str, Any]) -> None:
    """One at a time, the new one first, with the ten seconds that a cache takes to fill."""
    update = services["triton"]["deploy"]["update_config"]
    assert (update["parallelism"], update["order"], update["delay"]) == (1, "start-first", "10s")
    assert services["triton"]["deploy"]["replicas"] == 2
