"""`docker compose up` serves, survives a crash, follows its scale, and says in one sentence what it cannot do."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.compose.player import playing
from tests.compose.stack import Stack, free_port, wait_until

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1200)]

JOBS_AND_SERVERS = {"avatars", "bridge", "triton"}


def test_no_frame_fails_when_a_replica_is_killed(stack: Stack, say: Callable[[str], None]) -> None:
    """With one of two Tritons killed under load, every frame is answered, and the restart policy brings it back."""
    victim = stack.containers("triton")[0]
    with playing(f"ws://127.0.0.1:{stack.port}/ws") as player:
        player.wait_for(60)
        stack.kill(victim)
        killed_s = time.monotonic()
        stack.wait_for_upstreams(1, 2)
        stack.wait_for_upstreams(2, 2)
        recovered_s = time.monotonic() - killed_s
        player.wait_for(60)
    say(
        f"{player.played} frames played, {len(player.failed)} failed, back in rotation in {recovered_s:.1f} s"
    )
    assert player.failed == []
    assert stack.engine.inspect(victim)["RestartCount"] == 1


def test_both_replicas_answer(stack: Stack) -> None:
    """The bridge balances over every replica that DNS gives."""
    with playing(f"ws://127.0.0.1:{stack.port}/ws") as player:
        player.wait_for(20)
    assert player.failed == []
    assert all(upstream["total_requests"] > 0 for upstream in stack.health()["backends"])


def test_the_grpc_service_is_published(stack: Stack) -> None:
    """The predecessor's gRPC service answers beside the WebSocket, through standard health checking."""
    with grpc.insecure_channel(f"127.0.0.1:{stack.grpc_port}") as channel:
        request = health_pb2.HealthCheckRequest()
        answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=10, wait_for_ready=True)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_the_containers_are_confined(stack: Stack) -> None:
    """No container has root, a writable root file system or a capability, and only the bridge has a port."""
    for service in ("triton", "bridge"):
        for container in stack.containers(service):
            found = stack.engine.inspect(container)
            host = found["HostConfig"]
            assert found["Config"]["User"] == "10001:10001"
            assert (host["ReadonlyRootfs"], host["CapDrop"], host["Privileged"]) == (True, ["ALL"], False)
            assert bool(host["PortBindings"]) == (service == "bridge")
    assert set(stack.must("ps", "--services").split()) >= JOBS_AND_SERVERS


@pytest.mark.parametrize("service", ["triton", "bridge"])
def test_the_images_have_nothing_to_build_with(stack: Stack, service: str) -> None:
    """No compiler, linker, make or pip is in an image: what breaks in can build nothing there."""
    tools = ("cc", "gcc", "c++", "ld", "as", "make", "pip")
    look = f"import shutil; print([name for name in {tools} if shutil.which(name)])"
    found = stack.engine.docker("exec", stack.containers(service)[0], "python3", "-c", look)
    assert found.stdout.strip() == "[]"


def test_the_bridge_follows_the_scale(stack: Stack) -> None:
    """Scaled down to one Triton and up again, the bridge has as many upstreams, and no frame fails."""
    with playing(f"ws://127.0.0.1:{stack.port}/ws") as player:
        for count in (1, 2):
            stack.must("up", "--detach", "--no-recreate", "--scale", f"triton={count}")
            stack.wait_for_upstreams(count, count)
            player.wait_for(10)
    assert player.failed == []


KILL_AND_TELL = """
import os, pathlib, signal
secret = pathlib.Path("/dev/shm/triton-8000.secret").read_text().strip().encode()
commands = {}
for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    try:
        commands[int(path.parent.name)] = path.read_bytes()
    except OSError:
        pass
assert any(b"lipsync-secret=" in command for command in commands.values())
assert not any(secret in command for command in commands.values())
victims = [pid for pid, command in commands.items() if b"stub" in command and b"jpeg_encode_0_0" in command]
os.kill(victims[0], signal.SIGKILL)
"""


def test_a_dead_python_process_is_replaced(stack: Stack, say: Callable[[str], None]) -> None:
    """A model's process that is killed in a container comes back, and the container is what it was: no new one.

    Nor is the secret of its control among anybody's arguments there.
    """
    container = stack.containers("triton")[0]
    restarts = stack.engine.inspect(container)["RestartCount"]
    stack.engine.docker("exec", container, "python3", "-c", KILL_AND_TELL)
    check = ("exec", container, "python3", "-I", "-S", "/app/embedded/health.py")
    took_s = wait_until(
        lambda: stack.engine.docker(*check, check=False).returncode == 0, 60, "the check to be passed"
    )
    say(f"a dead process was replaced within {took_s:.1f} s")
    logs = stack.must("logs", "--no-color", "triton")
    assert "a process of 'jpeg_encode' was ended by SIGKILL; the model was loaded again" in logs
    assert stack.engine.inspect(container)["RestartCount"] == restarts


@pytest.fixture
def second(built: Stack, tmp_path: Path) -> Iterator[Stack]:
    """Another project, not started, whose models lie in a folder of the host that anybody may write to."""
    volume = tmp_path / "models"
    volume.mkdir()
    volume.chmod(0o777)
    settings = {"LIPSYNC_MODELS": str(volume)}
    ports = {"port": free_port(), "grpc_port": free_port()}
    stack = dataclasses.replace(built, project="lipsync-test-2", settings=settings, **ports)
    yield stack
    stack.must("down", "--volumes", "--timeout", "5")


def test_port_in_use(second: Stack) -> None:
    """A bridge whose port is taken does not start, and the engine names the port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = dataclasses.replace(second, port=port).compose("up", "--detach", "--no-deps", "bridge")
    assert done.returncode != 0
    assert f"127.0.0.1:{port}: bind: address already in use" in done.stdout


def test_a_folder_of_the_host(second: Stack) -> None:
    """A folder with an imported avatar serves as the volume, and none of it is written to."""
    folder = Path(second.settings["LIPSYNC_MODELS"])
    assert "/models: demo" in second.must("run", "--rm", "avatars")
    folder.chmod(0o555)
    mine = dataclasses.replace(second, settings={**second.settings, "LIPSYNC_DEMO": "no"})
    mine.must("up", "--detach")
    mine.wait_for_upstreams(1, 1)
    with playing(f"ws://127.0.0.1:{mine.port}/ws") as player:
        player.wait_for(4)
    assert player.failed == []


def test_volume_not_writable(second: Stack) -> None:
    """A models volume that the containers may not write to is refused, and nothing else starts."""
    Path(second.settings["LIPSYNC_MODELS"]).chmod(0o555)
    sentence = (
        "error: models volume /models: expected one that user 10001 can write to, got permission denied"
    )
    assert second.compose("up", "--detach").returncode != 0
    assert sentence in second.must("logs", "--no-color", "avatars")
    assert second.containers() == []


def test_volume_empty(second: Stack) -> None:
    """An empty volume that the demo avatar is not to be put into is refused, as is serving from it all the same."""
    empty = dataclasses.replace(second, settings={**second.settings, "LIPSYNC_DEMO": "no"})
    assert empty.compose("up", "--detach").returncode != 0
    sentence = "expected an imported avatar in it (LIPSYNC_DEMO=yes puts the demo there), got none"
    assert sentence in empty.must("logs", "--no-color", "avatars")
    done = empty.compose("run", "--rm", "--no-deps", "triton")
    assert (done.returncode, "model_repository: expected a folder, got /models" in done.stdout) == (2, True)
