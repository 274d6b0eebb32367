"""embedded/watch.py, with a real Triton whose processes die"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from embedded import Server, serve, watch
from tests.embedded.asking import encode_over_grpc, render, wait_ready
from tests.embedded.processes import STUB, Family, Process, find_family, wait_until
from tests.embedded.test_server import config_for

WAIT_S = 30.0


class Told(logging.Handler):
    """The lines of a logger, to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    async def line_with(self, text: str) -> str:
        """Return the first line with a text in it, once there is one."""
        return await asyncio.to_thread(
            wait_until, lambda: next((line for line in self.lines if text in line), None)
        )


@pytest.fixture
def told() -> Told:
    handler = Told()
    logging.getLogger("embedded.server").addHandler(handler)
    return handler


def family_of(server: Server) -> Family:
    return find_family(f"--grpc-port={server.grpc_port}")


def stubs_of(server: Server, model: str) -> list[Process]:
    """Return the living stubs of a model."""
    members = family_of(server).members
    return [one for one in members if STUB in one.command and f"/{model}/1/" in one.command]


async def test_one_of_two_processes_dies(add_avatar: Callable[[str], Path], told: Told) -> None:
    """Of a network's two processes one is killed: it is replaced, and meanwhile no model is unloaded."""
    async with serve(config_for(add_avatar("demo"), strategy="hybrid")) as (server,):
        expected = await asyncio.to_thread(render, server, "demo", 3)
        before = family_of(server).member("tritonserver").pid
        victim, _ = stubs_of(server, "demo_unet")
        victim.kill()
        line = await told.line_with("demo_unet")
        assert line.startswith(
            f"Triton on port {server.grpc_port}: a process of 'demo_unet' was ended by SIGKILL; "
            "the model was loaded again in "
        )
        for _ in range(4):  # either process in turn
            assert await asyncio.to_thread(render, server, "demo", 3) == expected
        assert family_of(server).member("tritonserver").pid == before
    assert len(told.lines) == 1


async def test_a_models_only_process_dies_again_and_again(repository: Path, told: Told) -> None:
    """It is replaced each time, and what it answers is the same."""
    async with serve(config_for(repository)) as (server,):
        expected = await asyncio.to_thread(encode_over_grpc, server)
        for number in (signal.SIGKILL, signal.SIGBUS):
            for process in stubs_of(server, "jpeg_encode"):
                process.kill(number)
            await told.line_with(number.name)
            assert await asyncio.to_thread(encode_over_grpc, server) == expected


async def test_a_model_that_cannot_be_loaded_again(add_avatar: Callable[[str], Path], told: Told) -> None:
    """A model whose data are broken is taken out, others go on; mended, it comes back by itself."""
    repository = add_avatar("demo")
    faces = repository / "demo_frames" / "1" / "faces.npy"
    whole = faces.read_bytes()
    async with serve(config_for(repository)) as (server,):
        expected = await asyncio.to_thread(render, server, "demo", 3)
        faces.unlink()  # a link to the workspace's
        faces.write_bytes(whole[:100_000])
        for process in stubs_of(server, "demo_frames"):
            process.kill()
        line = await told.line_with("cannot be loaded again")
        assert f"expected faces.npy to hold {len(whole)} bytes, as its beginning says, got 100000" in line
        await asyncio.to_thread(wait_until, lambda: is_unknown(server, "demo"))
        assert (await asyncio.to_thread(encode_over_grpc, server)).startswith(b"\xff\xd8")
        faces.write_bytes(whole)
        await told.line_with("'demo_frames' is loaded again")
        assert await asyncio.to_thread(render, server, "demo", 3) == expected


def is_unknown(server: Server, model: str) -> bool | None:
    """Tell whether Triton says at once that it has no such model; None while it fails otherwise."""
    try:
        render(server, model, 3)
    except InferenceServerException as exc:
        return "unknown model" in str(exc) or None
    return None


async def test_a_triton_that_answers_nothing(
    repository: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is stopped for longer than it may be silent is killed, and started anew."""
    monkeypatch.setattr(watch, "SILENT_LIMIT_S", 0.5)
    monkeypatch.setattr(watch, "LIVE_INTERVAL_S", 0.1)
    async with serve(config_for(repository, stop_timeout_s=300.0)) as (server,):
        before = family_of(server)
        before.member("tritonserver").kill(signal.SIGSTOP)
        assert await told.line_with("answered") == "Triton has answered nothing for 0.5 s"
        await asyncio.to_thread(before.wait_gone)
        await asyncio.to_thread(wait_ready, server)
        assert (await asyncio.to_thread(encode_over_grpc, server)).startswith(b"\xff\xd8")
        assert family_of(server).prefix != before.prefix
        family_of(server).member("tritonserver").kill()  # the test waits for no good end
        await told.line_with("SIGKILL")


async def test_a_broken_avatar_keeps_no_other_out(add_avatar: Callable[[str], Path], told: Told) -> None:
    """A Triton that has to be started again serves what can be loaded, though an avatar was broken meanwhile."""
    add_avatar("second")
    repository = add_avatar("demo")
    async with serve(config_for(repository)) as (server,):
        expected = await asyncio.to_thread(render, server, "demo", 3)
        (repository / "second_frames" / "1" / "bounds.npy").unlink()
        family_of(server).member("tritonserver").kill()
        await told.line_with("started again")
        await asyncio.to_thread(wait_ready, server)
        assert await asyncio.to_thread(render, server, "demo", 3) == expected
        assert is_unknown(server, "second")
        with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
            assert client.is_server_ready()
