"""The containers' own commands, run as they stand: servers, probes, Jobs, what comes before a stop, helm's test."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from export.repository.archive import Archive, read_archives
from tests.conftest import Workspace
from tests.helm.chart import FETCHED, ROOT, containers, rendered
from tests.helm.processes import Machine, container_of

pytestmark = [pytest.mark.helm, pytest.mark.timeout(600)]

SECRET = "a_secret-of-24-characters"
CASE = "fetched into a claim"
JPEG = b"\xff\xd8"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, workspace: Workspace) -> Machine:
    """A volume that is empty, the control's secret, and a list of one archive, of the avatar ``second``."""
    folder = tmp_path_factory.mktemp("machine")
    (folder / "control").mkdir()
    (folder / "control" / "secret").write_text(SECRET)
    (folder / "models").mkdir()
    with tarfile.open(folder / "second.tar", "w") as tar:
        tar.add(workspace.avatars / "second", "second")
    digest = hashlib.sha256((folder / "second.tar").read_bytes()).hexdigest()
    (folder / "avatars").mkdir()
    (folder / "avatars" / "avatars").write_text(f"second {(folder / 'second.tar').as_uri()} {digest}\n")
    return Machine(
        {
            "/models": folder / "models",
            "/etc/lipsync/control": folder / "control",
            "/etc/lipsync/avatars": folder / "avatars",
            "/app": ROOT,
        }
    )


def fill(machine: Machine, case: str, workspace: Workspace) -> subprocess.CompletedProcess[str]:
    """Run the container that fills the volume; the image's own demo avatar is the workspace's here."""
    words = container_of(case, "avatars")["args"]
    return machine.run([*words, "--volume=/models", f"--demo-avatar={workspace.avatars / 'demo'}"])


@pytest.fixture(scope="module")
def filled(machine: Machine, workspace: Workspace) -> Machine:
    """The volume as the Job of the first installation leaves it, with the demo avatar; pods waited for it."""
    wait = container_of("one claim for all", "wait")["command"]
    with pytest.raises(subprocess.TimeoutExpired):
        machine.run(wait, timeout_s=0.5)
    done = fill(machine, "one claim for all", workspace)
    assert done.returncode == 0, done.stderr
    assert machine.run(wait, timeout_s=10.0).returncode == 0
    return machine


@pytest.fixture(scope="module")
def triton(filled: Machine) -> Iterator[Machine]:
    """A Triton on the filled volume, started as its container is."""
    container = container_of("one claim for all", "triton")
    words = list(container["args"])
    ports = [
        f"--{name}-port={filled.port(port)}"
        for name, port in (("http", 8000), ("grpc", 8001), ("metrics", 8002))
    ]
    words[words.index("--") : words.index("--")] = ports
    with filled.running(words, filled.environment(container), "Triton is ready"):
        yield filled


@contextlib.contextmanager
def running_bridge(machine: Machine, upstream: str) -> Iterator[None]:
    """Run a bridge as its container is, before another upstream."""
    container = container_of("one claim for all", "bridge")
    own = {
        "BRIDGE_PORT": str(machine.port(8086)),
        "BRIDGE_GRPC_PORT": str(machine.port(50051)),
        "BRIDGE_METRICS_PORT": str(machine.port(9086)),
        "BRIDGE_UPSTREAMS": upstream,
    }
    with machine.running(["-m", "bridge"], machine.environment(container, **own), "Tritons ready"):
        yield


def ask(machine: Machine, probe: dict[str, Any]) -> int:
    """Return the status that an HTTP probe of the bridge gets; its port has a name in the container."""
    container = container_of("one claim for all", "bridge")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    url = f"http://127.0.0.1:{machine.port(ports[probe['httpGet']['port']])}{probe['httpGet']['path']}"
    try:
        with urllib.request.urlopen(url, timeout=probe["timeoutSeconds"]) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        exc.close()
        return exc.code


def test_probes_of_a_bridge_without_tritons(filled: Machine) -> None:
    """It has started and lives, and is not ready: no traffic, and no restart."""
    bridge = container_of("one claim for all", "bridge")
    alone = Machine(filled.paths)
    with running_bridge(alone, f"dns:///localhost:{alone.port(1)}"):
        assert ask(alone, bridge["startupProbe"]) == ask(alone, bridge["livenessProbe"]) == 200
        assert ask(alone, bridge["readinessProbe"]) == 503


@pytest.fixture(scope="module")
def stack(triton: Machine) -> Iterator[Machine]:
    """A bridge before the Triton."""
    with running_bridge(triton, f"dns:///localhost:{triton.port(8001)}"):
        yield triton


def test_probes_of_a_bridge(stack: Machine) -> None:
    """With a Triton all three say yes."""
    bridge = container_of("one claim for all", "bridge")
    assert {ask(stack, bridge[probe]) for probe in ("startupProbe", "readinessProbe", "livenessProbe")} == {
        200
    }


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_probes_of_triton(stack: Machine, probe: str) -> None:
    """Each command says yes within its time on a Triton that runs, and no where there is none."""
    found = container_of("one claim for all", "triton")[probe]
    for port, code in ((stack.port(8000), 0), (stack.port(2), 1)):
        done = stack.run([*found["exec"]["command"], str(port)], timeout_s=60.0)
        assert done.returncode == code, done.stderr


def test_frames_come_through(stack: Machine) -> None:
    """The page, a frame and metrics are answered by the bridge as its environment has it."""
    for path, beginning in (("/", b"<!doctype html>"), ("/frames/demo/0.jpg", JPEG)):
        with urllib.request.urlopen(f"http://127.0.0.1:{stack.port(8086)}{path}") as answer:
            assert answer.read(15).startswith(beginning)


def test_a_new_avatar_reaches_a_running_triton(stack: Machine, workspace: Workspace) -> None:
    """The Job of a longer list fills the volume and has Triton load it: the pod that runs answers for it."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{stack.port(8086)}/frames/second/0.jpg")
    caught.value.close()
    assert caught.value.code == 404
    done = fill(stack, CASE, workspace)
    assert done.returncode == 0, done.stderr
    words = container_of(CASE, "load")["args"]
    assert words[2] == "dns:///demo-lipsync-cpu-all:8001"
    done = stack.run([*words[:2], f"dns:///127.0.0.1:{stack.port(8001)}", *words[3:]])
    assert (done.returncode, done.stderr) == (0, "")
    assert "second_live" in done.stdout
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.port(8086)}/frames/second/0.jpg") as answer:
        assert answer.read(2) == JPEG


def test_engines_wait_for_their_avatars(filled: Machine) -> None:
    """A Job that builds engines waits for the fill of its own revision, not for an earlier one's."""
    wait = next(
        container
        for name, _, container in containers(rendered("GPUs beside CPUs"))
        if container["name"] == "wait" and "engines" in name
    )["command"]
    with pytest.raises(subprocess.TimeoutExpired):
        filled.run(wait, timeout_s=0.5)
    words = container_of("GPUs beside CPUs", "avatars")["args"]
    revision = next(word.partition("=")[2] for word in words if word.startswith("--revision="))
    ready = Path(filled.here("/models/avatars.ready"))
    before = ready.read_text()
    ready.write_text(f"{revision}\n")
    assert filled.run(wait, timeout_s=10.0).returncode == 0
    ready.write_text(before)


def test_before_a_bridge_stops(stack: Machine) -> None:
    """The command that is run first asks the bridge for its sessions, and lets it be stopped when there are none."""
    *words, port, _ = container_of("one claim for all", "bridge")["lifecycle"]["preStop"]["exec"]["command"]
    done = stack.run([*words, str(stack.port(int(port))), "60"], timeout_s=60.0)
    assert (done.returncode, done.stderr) == (0, "")


def test_helms_own_test(stack: Machine) -> None:
    """What `helm test` runs prints the bridge's health."""
    command = container_of("one claim for all", "health")["command"]
    address = "http://demo-lipsync-bridge:80/"
    assert address in command[2]
    code = command[2].replace(address, f"http://127.0.0.1:{stack.port(8086)}/")
    done = stack.run([*command[:2], code])
    assert done.returncode == 0, done.stderr
    assert '"healthy_count": 1' in done.stdout


def test_the_list_of_archives(tmp_path: Path) -> None:
    """The Secret that the chart makes of avatars.fetch is a list that the importer reads."""
    (secret,) = (found for found in rendered(CASE) if found["metadata"]["name"].endswith("-avatars"))
    (tmp_path / "avatars").write_text(secret["stringData"]["avatars"])
    assert read_archives(tmp_path / "avatars") == [Archive(**FETCHED)]
