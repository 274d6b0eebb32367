"""The Compose file as Compose resolves it: profiles, confinement, ports, and what the GPU profile would run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import embedded.__main__ as embedded_main
from embedded.command import Server, build_command
from embedded.config import EmbeddedConfig
from embedded.installation import find_installation
from tests.docker.tools import ROOT, compose_services

OURS = {"avatars", "triton", "bridge", "engines", "triton-gpu", "bridge-gpu"}
JOBS = {"avatars", "engines"}
RELEASE = "26.07"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Every service, resolved without any setting."""
    return compose_services()


def test_profiles(services: dict[str, Any]) -> None:
    """Each profile is complete in itself: everything that a service waits for is in its profiles, too."""
    assert {name for name, service in services.items() if "cpu" in service["profiles"]} == {
        "avatars",
        "triton",
        "bridge",
    }
    for service in services.values():
        for needed in service.get("depends_on", {}):
            assert set(service["profiles"]) <= set(services[needed]["profiles"])
    assert "COMPOSE_PROFILES=cpu" in (ROOT / ".env").read_text().splitlines()


def test_everything_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    """Servers wait for jobs that ended well and for servers that are healthy."""
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            condition = "service_completed_successfully" if needed in JOBS else "service_healthy"
            assert how["condition"] == condition


def test_every_service_is_confined(services: dict[str, Any]) -> None:
    """No root, no writable root file system, no capability; servers restart and have a health check."""
    for name, service in services.items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert not service["user"].startswith("0")
        assert service["restart"] == ("no" if name in JOBS else "unless-stopped")
        assert ("healthcheck" in service) == (name not in JOBS)


def test_only_the_bridge_has_a_port(services: dict[str, Any]) -> None:
    """Only the bridge is published, and Grafana for those who ask for monitoring; both for this machine alone."""
    published = {name: str(service["ports"]) for name, service in services.items() if service.get("ports")}
    assert set(published) == {"bridge", "bridge-gpu", "grafana"}
    assert all("127.0.0.1" in ports for ports in published.values())


def test_one_release_for_server_and_builder() -> None:
    """TRITON_RELEASE names the container that serves and the one that builds its engines."""
    assert f"TRITON_RELEASE={RELEASE}" in (ROOT / ".env").read_text().splitlines()
    for release in (RELEASE, "26.08"):
        resolved = compose_services(TRITON_RELEASE=release)
        args = [resolved[name]["build"]["args"] for name in ("engines", "triton-gpu")]
        assert args == [{"TRITON_RELEASE": release}] * 2
    froms = re.findall(r"^FROM (\S+)", (ROOT / "docker" / "gpu.Dockerfile").read_text(), re.MULTILINE)
    assert [name.rpartition(":")[2] for name in froms] == ["${TRITON_RELEASE}-py3"] * 2


def test_the_gpu_is_the_same_one() -> None:
    """Engine and server get the same GPU."""
    resolved = compose_services(LIPSYNC_GPU="3")
    for name in ("engines", "triton-gpu"):
        (device,) = resolved[name]["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["device_ids"], device["capabilities"]) == ("nvidia", ["3"], ["gpu"])


def test_both_tritons_are_kept_by_embedded() -> None:
    """The GPU's Triton is started as the CPU's: by who guards its control, and replaces what dies of it."""
    services = compose_services(LIPSYNC_STRATEGY="hybrid")
    commands = [["python", *services["triton"]["command"]], services["triton-gpu"]["command"]]
    for (_, *words), repository in zip(commands, ("model_repository", "model_repository_gpu"), strict=True):
        assert words[:2] == ["-m", "embedded"]
        args = embedded_main._parser("embedded").parse_args(words[2:])
        assert str(args.model_repository) == f"/models/{repository}"
        assert (args.strategy, args.host) == ("hybrid", "0.0.0.0")


def test_every_flag_is_one_of_the_servers() -> None:
    """Each argument that embedded gives a Triton is in the server's own --help."""
    installation = find_installation()
    config = EmbeddedConfig(model_repository=ROOT / "model_repository", strategy="hybrid")
    command = build_command(config, Server("0.0.0.0", 1, 2, 3), installation, Path("/backends"), "prefix_")
    done = subprocess.run(
        [installation.server, "--help"],
        capture_output=True,
        text=True,
        env=installation.environment(),
        check=False,
    )
    known = set(re.findall(r"--[a-z-]+", done.stdout + done.stderr))
    assert {flag.partition("=")[0] for flag in command[1:]} <= known


def test_health_checks_of_triton(services: dict[str, Any]) -> None:
    """Both Tritons are asked for what a dead process cannot give, by a file that is in both images."""
    for name in ("triton", "triton-gpu"):
        assert services[name]["healthcheck"]["test"] == [
            "CMD",
            "python3",
            "-I",
            "-S",
            "/app/embedded/health.py",
        ]
    assert (ROOT / "embedded" / "health.py").is_file()


def test_strategy_of_the_cpu() -> None:
    """LIPSYNC_STRATEGY reaches the CPU's Triton, too."""
    command = compose_services(LIPSYNC_STRATEGY="latency")["triton"]["command"]
    assert command[-2:] == ["--strategy", "latency"]


def test_every_mount_exists(services: dict[str, Any]) -> None:
    """Whatever is mounted from the checkout is there, and read-only; all services share one models volume."""
    for name, service in services.items():
        for source, target, read_only in map(mount, service.get("volumes", [])):
            if source.startswith("/"):
                assert (Path(source).exists(), read_only) == (True, True)
            elif target == "/models":
                assert (source, read_only) == ("models", name not in JOBS)


def mount(volume: Any) -> tuple[str, str, bool]:
    """Return source, target and whether it is read-only, of Compose's short form or its long one."""
    if isinstance(volume, str):
        source, target, mode = volume.split(":")
        return source, target, mode == "ro"
    return volume["source"], volume["target"], volume.get("read_only", False)


def test_builds_find_their_files(services: dict[str, Any]) -> None:
    """Each Dockerfile is there and has the target; each path it copies is there and let in by .dockerignore."""
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for service in services.values():
        if "build" not in service:
            continue
        text = (ROOT / service["build"]["dockerfile"]).read_text()
        assert re.search(rf"^FROM \S+ AS {service['build']['target']}$", text, re.MULTILINE)
        for path in re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE):
            assert (ROOT / path).exists()
            assert any(path.startswith(pattern.partition("*")[0]) for pattern in let_in)


def test_each_image_is_built_by_a_service_or_pinned(services: dict[str, Any]) -> None:
    """No image floats: ours are built here, the others have a version."""
    built = {service["image"] for service in services.values() if "build" in service}
    for name, service in services.items():
        assert (name in OURS) == (service["image"] in built)
        assert name in OURS or re.search(r":v?\d+\.\d+\.\d+$", service["image"])


def test_every_setting_is_documented() -> None:
    """The table of docs/docker.md has each variable of the Compose file with its default, and no other."""
    texts = [(ROOT / name).read_text() for name in ("docker-compose.yml", ".env")]
    found = re.findall(r"\$\{(\w+):-([^}]*)\}", texts[0]) + re.findall(
        r"^(\w+)=(.*)$", texts[1], re.MULTILINE
    )
    listed = re.findall(
        r"^\| `([A-Z_]+)` \| `([^`]+)` \|", (ROOT / "docs" / "docker.md").read_text(), re.MULTILINE
    )
    assert set(listed) == set(found)
