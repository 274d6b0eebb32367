"""embedded/server.py"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import logging
import re
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import tritonclient.grpc
from tritonclient.grpc import model_config_pb2, service_pb2
from tritonclient.utils import InferenceServerException

from embedded import EmbeddedConfig, Server, installation, leftovers, serve
from embedded.errors import StartFailed
from tests.embedded.asking import encode_over_grpc, encode_over_http, metrics, render, wait_ready
from tests.embedded.processes import STUB, find_family, wait_until

STOP_TIMEOUT_S = 3.0


def config_for(repository: Path, **settings: object) -> EmbeddedConfig:
    config = EmbeddedConfig(model_repository=repository, http_port=0, stop_timeout_s=STOP_TIMEOUT_S)
    return dataclasses.replace(config, **settings)  # type: ignore[arg-type]


async def start_and_fail(repository: Path, **settings: object) -> str:
    """Start a Triton that cannot start, and return the sentence that says why."""
    with pytest.raises(StartFailed) as caught:
        async with serve(config_for(repository, **settings)):
            pass
    return str(caught.value)


async def test_several_processes_on_one_repository(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Both processes answer over gRPC, HTTP and for metrics, their log is forwarded, and nothing of them stays."""
    caplog.set_level(logging.INFO, "embedded.triton")
    async with serve(config_for(repository, processes=2)) as servers:
        families = [find_family(f"--grpc-port={server.grpc_port}") for server in servers]
        for server in servers:
            assert await asyncio.to_thread(encode_over_grpc, server) == await asyncio.to_thread(
                encode_over_http, server
            )
            assert "nv_inference_request_success" in await asyncio.to_thread(metrics, server)
        assert all(family.shared_memory() for family in families)
    messages = [record.getMessage() for record in caplog.records if record.name == "embedded.triton"]
    for server in servers:
        assert any(f"Started GRPCInferenceService at {server.grpc_url}" in message for message in messages)
    for family in families:
        assert len(family.members) == 3
        assert all(process.ended() for process in family.members)
        assert not family.shared_memory()


@pytest.mark.parametrize("part", ["tritonserver", "guard.py"])
async def test_killed_process_is_started_again(repository: Path, part: str) -> None:
    """SIGKILL of the server or its guard ends all of it, a stub that hangs included; a new one answers in its place."""
    async with serve(config_for(repository)) as (server,):
        before = find_family(f"--grpc-port={server.grpc_port}")
        expected = await asyncio.to_thread(encode_over_grpc, server)
        before.member(STUB).kill(signal.SIGSTOP)
        before.member(part).kill()
        await asyncio.to_thread(before.wait_gone)
        after = await asyncio.to_thread(find_family, f"--grpc-port={server.grpc_port}", with_part=STUB)
        assert after.prefix != before.prefix
        await asyncio.to_thread(wait_ready, server)
        assert await asyncio.to_thread(encode_over_grpc, server) == expected
    assert all(process.ended() for process in after.members)


async def test_a_restart_that_fails_is_tried_again(
    repository: Path, waiting_repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A Triton that is not ready in time when started again is started once more, from the same files."""
    config = config_for(repository)
    async with serve(config) as (server,):
        shutil.copytree(waiting_repository / "waiting", repository / "waiting")
        object.__setattr__(config, "start_timeout_s", 1.0)
        find_family(f"--grpc-port={server.grpc_port}").member("tritonserver").kill()
        await asyncio.to_thread(wait_until, lambda: "was not ready within 1 s" in caplog.text or None)
        shutil.rmtree(repository / "waiting")
        object.__setattr__(config, "start_timeout_s", 60.0)
        await asyncio.to_thread(wait_ready, server)
        assert (await asyncio.to_thread(encode_over_grpc, server)).startswith(b"\xff\xd8")


async def test_cancelled_while_loading(waiting_repository: Path) -> None:
    """Cancelling the start stops a Triton that is still loading, at once, and leaves nothing."""

    async def run() -> None:
        async with serve(config_for(waiting_repository, stop_timeout_s=300.0)):
            pass

    task = asyncio.create_task(run())
    family = await asyncio.to_thread(find_family, str(waiting_repository), with_part=STUB)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(process.ended() for process in family.members)
    assert not family.shared_memory()


async def test_crashes_while_loading(waiting_repository: Path) -> None:
    """A Triton that crashes as it starts is started again; the third crash is a failure that names the signal."""
    start = asyncio.create_task(start_and_fail(waiting_repository, stop_timeout_s=300.0))
    for _ in range(3):
        family = await asyncio.to_thread(find_family, str(waiting_repository), with_part=STUB)
        family.member("tritonserver").kill(signal.SIGABRT)
        await asyncio.to_thread(family.wait_gone)
    assert await start == "Triton was ended by SIGABRT"


async def test_start_timeout(waiting_repository: Path) -> None:
    """Models that do not load in time are a failure with the last thing Triton said."""
    sentence = await start_and_fail(waiting_repository, start_timeout_s=1.0, stop_timeout_s=300.0)
    assert sentence.startswith("Triton was not ready within 1 s: ")
    assert "waiting" in sentence


def break_config(repository: Path) -> None:
    (repository / "jpeg_encode" / "config.pbtxt").write_text("max_batch_size: many\n")


def break_weights(repository: Path) -> None:
    weights = repository / "demo_unet" / "1" / "model.onnx"
    weights.unlink()  # a link to the workspace's
    weights.write_bytes(b"no network")


def break_backend(repository: Path) -> None:
    config = repository / "jpeg_encode" / "config.pbtxt"
    config.write_text(config.read_text().replace('backend: "jpeg_encode"', 'backend: "png_encode"'))


def forget_frames(repository: Path) -> None:
    for path in (repository / "demo_frames" / "1").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (break_config, ["jpeg_encode/config.pbtxt: 1:17: Expected integer, got: many"]),
        (break_backend, ["failed to load 'jpeg_encode'", "backend 'png_encode'"]),
        (break_weights, ["failed to load 'demo_unet'", "ONNX Runtime cannot load", "model.onnx"]),
        (
            forget_frames,
            ["failed to load 'demo_frames'", "faces.npy", "import the avatar again: python -m export avatar"],
        ),
    ],
)
async def test_why_it_does_not_start(
    add_avatar: Callable[[str], Path], spoil: Callable[[Path], None], expected: list[str]
) -> None:
    """Triton's relevant log line becomes one sentence that names what is broken."""
    repository = add_avatar("demo")
    spoil(repository)
    sentence = await start_and_fail(repository)
    assert sentence.startswith("Triton exited with code 1: ")
    assert all(part in sentence for part in expected)
    assert not re.search(r"\n|\\n|\.cc:", sentence)


async def test_unknown_option(repository: Path) -> None:
    """An option that tritonserver does not know is its own sentence."""
    sentence = await start_and_fail(repository, extra_args=("--no-such-option=1",))
    assert sentence.startswith("Triton exited with code 1: ")
    assert "no-such-option" in sentence


async def test_no_room_to_start(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses a file, the sentence says which and why."""
    monkeypatch.setattr(leftovers, "SHARED_MEMORY", tmp_path / "nowhere")
    sentence = await start_and_fail(repository)
    assert re.fullmatch(
        r"Triton could not be started: no such file or directory "
        rf"\({tmp_path}/nowhere/triton_[0-9a-f]{{12}}_lock\)",
        sentence,
    )
    monkeypatch.setattr(shutil, "copyfile", refuse)
    assert await start_and_fail(repository) == (
        f"Triton could not be started: [Errno {errno.ENOSPC}] No space left on device"
    )


def refuse(source: object, target: object, **_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_strategy_picks_the_variant(add_avatar: Callable[[str], Path]) -> None:
    """With ``batching``, models that have that variant load it, and the others their plain config."""
    async with serve(config_for(add_avatar("demo"), strategy="batching")) as (server,):
        unet = await asyncio.to_thread(model_config, server, "demo_unet")
        ensemble = await asyncio.to_thread(model_config, server, "demo")
    assert unet.HasField("dynamic_batching")
    assert unet.instance_group[0].count == 1
    assert not ensemble.response_cache.enable


async def test_replay_caches(add_avatar: Callable[[str], Path]) -> None:
    """With ``replay``, a frame asked for again comes from the response cache, equal to the first answer."""
    async with serve(config_for(add_avatar("demo"), strategy="replay")) as (server,):
        first = await asyncio.to_thread(render, server, "demo", 5)
        again = await asyncio.to_thread(render, server, "demo", 5)
        ensemble = await asyncio.to_thread(statistics, server, "demo")
        unet = await asyncio.to_thread(model_config, server, "demo_unet")
    assert first == again
    assert (ensemble.cache_miss.count, ensemble.cache_hit.count) == (1, 1)
    assert unet.instance_group[0].count == 2


async def test_an_avatar_comes_and_goes(add_avatar: Callable[[str], Path]) -> None:
    """An avatar put into the repository of a running server is loaded and unloaded while another goes on."""
    async with serve(config_for(add_avatar("demo"))) as (server,):
        with pytest.raises(InferenceServerException, match="unknown model: 'second'"):
            await asyncio.to_thread(render, server, "second", 0)
        async with played(server, "demo") as pictures:
            add_avatar("second")
            client = tritonclient.grpc.InferenceServerClient(server.grpc_url)
            await asyncio.to_thread(client.load_model, "second", headers=server.grpc_control)
            second = await asyncio.to_thread(render, server, "second", 20)
            await asyncio.to_thread(
                client.unload_model, "second", headers=server.grpc_control, unload_dependents=True
            )
            with pytest.raises(InferenceServerException, match="'second'"):
                await asyncio.to_thread(render, server, "second", 20)
            client.close()
        assert len(pictures) > 1
        assert set(pictures) == {second}  # both avatars are of one clip and one network


@contextlib.asynccontextmanager
async def played(server: Server, avatar: str) -> AsyncIterator[list[bytes]]:
    """Ask for a frame again and again while the block runs; every answer must come."""
    pictures: list[bytes] = []
    stop = asyncio.Event()

    async def play() -> None:
        while not stop.is_set():
            pictures.append(await asyncio.to_thread(render, server, avatar, 20))

    playing = asyncio.create_task(play())
    try:
        yield pictures
    finally:
        stop.set()
        await playing


def model_config(server: Server, model_name: str) -> model_config_pb2.ModelConfig:
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        return client.get_model_config(model_name).config


def statistics(server: Server, model_name: str) -> service_pb2.InferStatistics:
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        return client.get_inference_statistics(model_name).model_stats[0].inference_stats


async def test_in_the_container(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Triton laid out as NVIDIA's container has it is served from as it lies there."""
    wheel, home = installation.find_installation(), tmp_path / "opt"
    for folder in ("bin", "caches"):
        (home / folder).mkdir(parents=True)
    (home / "bin" / "tritonserver").symlink_to(wheel.server)
    (home / "caches" / "local").symlink_to(wheel.caches / "local")
    installation.lay_out_backends(wheel, home / "backends")
    for name, value in wheel.environment().items():  # as the container has it
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(installation, "CONTAINER", home)
    async with serve(config_for(repository)) as (server,):
        family = find_family(f"--grpc-port={server.grpc_port}")
        assert f"--backend-directory={home}/backends" in family.member("tritonserver").command
        assert (await asyncio.to_thread(encode_over_grpc, server)).startswith(b"\xff\xd8")
    assert (home / "backends" / "jpeg_encode" / "model.py").is_file()
