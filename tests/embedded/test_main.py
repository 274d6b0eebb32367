"""embedded/__main__.py"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import tritonclient.grpc

from embedded import Server, installation
from embedded.__main__ import main
from embedded.control import VARIABLE, default_path, read_secret
from tests.embedded.asking import encode_over_grpc, metrics
from tests.embedded.processes import STUB, WAIT_S, find_family, wait_until
from tests.embedded.test_ports import this_process

HOLD_US = 1_500_000
"""How long the held model waits for company, while the server is asked to stop."""


@contextlib.asynccontextmanager
async def command(
    repository: Path, *options: str, stderr: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``python -m embedded`` on free ports."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "embedded", "--model-repository", repository, "--http-port", "0", *options),
        stdout=subprocess.PIPE,
        stderr=stderr,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def announced(process: asyncio.subprocess.Process) -> Server:
    """Read where the first server answers."""
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), WAIT_S)).decode()
    match = re.fullmatch(
        r"Triton is ready: gRPC 127\.0\.0\.1:(\d+), HTTP http://127\.0\.0\.1:(\d+), "
        r"metrics http://127\.0\.0\.1:(\d+)/metrics\n",
        line,
    )
    assert match, line
    return Server("127.0.0.1", grpc_port=int(match[1]), http_port=int(match[2]), metrics_port=int(match[3]))


async def test_secret_of_a_running_server(repository: Path) -> None:
    """The command says which file holds the secret; only its owner can read it, and it goes with the server."""
    async with command(repository) as process:
        server = await announced(process)
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), WAIT_S)).decode()
        path = default_path(server.http_port)
        assert line == f"models are loaded by who presents the secret in {path}\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        known = dataclasses.replace(server, secret=read_secret(path))
        await asyncio.to_thread(load, known)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0
        assert not path.exists()


def load(server: Server) -> None:
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        client.load_model("jpeg_encode", headers=server.grpc_control)


async def test_secret_that_is_given(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file named by the environment holds the secret, and stays."""
    given = tmp_path / "secret"
    given.write_text("a_secret-of-24-characters")
    monkeypatch.setenv(VARIABLE, str(given))
    async with command(repository) as process:
        server = await announced(process)
        await asyncio.to_thread(load, dataclasses.replace(server, secret=given.read_text()))
        assert not default_path(server.http_port).exists()
        process.terminate()
        await asyncio.wait_for(process.wait(), WAIT_S)
    assert given.exists()


async def test_sigkill_leaves_nothing(repository: Path) -> None:
    """When the command is killed by SIGKILL, server, guard, stubs, shared memory and the secret's file go too."""
    async with command(repository) as process:
        server = await announced(process)
        family = find_family(f"--grpc-port={server.grpc_port}")
        assert len(family.members) == 3
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), WAIT_S)  # names the file
        process.kill()
        await asyncio.to_thread(family.wait_gone)
        assert not default_path(server.http_port).exists()


async def test_sigterm_answers_what_is_in_flight(repository: Path) -> None:
    """After SIGTERM a request in flight still gets its answer; the exit code is 0, and nothing stays."""
    hold_requests(repository)
    async with command(repository) as process:
        server = await announced(process)
        family = find_family(f"--grpc-port={server.grpc_port}")
        request = asyncio.create_task(asyncio.to_thread(encode_over_grpc, server))
        await asyncio.to_thread(wait_until, lambda: pending(server))
        process.terminate()
        assert (await request).startswith(b"\xff\xd8")
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0
        assert all(one.ended() for one in family.members)
        assert not family.shared_memory()


def hold_requests(repository: Path) -> None:
    """Let ``jpeg_encode`` hold a single request back for a while, hoping for a batch."""
    config = repository / "jpeg_encode" / "config.pbtxt"
    held = f"dynamic_batching {{ preferred_batch_size: 16 max_queue_delay_microseconds: {HOLD_US} "
    config.write_text(config.read_text().replace("dynamic_batching {", held))


def pending(server: Server) -> bool | None:
    """Whether a request waits in the server; None while none does."""
    return 'nv_inference_pending_request_count{model="jpeg_encode",version="1"} 1' in metrics(server) or None


async def test_two_starts_at_once(repository: Path) -> None:
    """Of two starts on the same ports one serves; the other says who has them, and exits with 1."""
    with contextlib.ExitStack() as held:
        socks = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ports = [str(sock.getsockname()[1]) for sock in socks]
    words = ("--http-port", "--grpc-port", "--metrics-port")
    options = [word for pair in zip(words, ports, strict=True) for word in pair]
    starting = [command(repository, *options, "--quiet", stderr=subprocess.PIPE) for _ in range(2)]
    async with starting[0] as one, starting[1] as two:
        endings = [asyncio.create_task(process.wait()) for process in (one, two)]
        await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED, timeout=WAIT_S)
        loser, winner = (one, two) if endings[0].done() else (two, one)
        assert loser.returncode == 1
        assert loser.stderr is not None
        said = (await loser.stderr.read()).decode()
        assert re.fullmatch(
            r"error: expected 127\.0\.0\.1:\d+ to be free for Triton, "
            rf"but python[\d.]* -m embedded \(process {winner.pid}\) has it already\n",
            said,
        )
        server = await announced(winner)
        assert (await asyncio.to_thread(encode_over_grpc, server)).startswith(b"\xff\xd8")
        for ending in endings:
            ending.cancel()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_while_loading(waiting_repository: Path, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM during the start ends it at once, with exit code 0."""
    async with command(waiting_repository) as process:
        family = await asyncio.to_thread(find_family, str(waiting_repository), with_part=STUB)
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0
        assert all(one.ended() for one in family.members)
        assert not family.shared_memory()


def check_refused(capsys: pytest.CaptureFixture[str], argv: list[str], code: int, sentence: str) -> None:
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == f"error: {sentence}"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--processes", "0"], "processes: expected 1 to 20, got 0"),
        (["--strategy", "fastest"], "strategy: expected none, as no model has variants, got fastest"),
        (["--model-repository", "/nowhere"], "model_repository: expected a folder, got /nowhere"),
        (
            ["--control-secret-file", "/nowhere"],
            "control_secret_file: expected a file with 16 or more letters, digits, - and _, "
            "got /nowhere (no such file or directory)",
        ),
        (["--stop-timeout-s", "-1"], "stop_timeout_s: expected 0 or more, got -1.0"),
    ],
)
def test_bad_settings(
    repository: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    """A setting that cannot work is one sentence and exit code 2."""
    check_refused(capsys, ["--model-repository", str(repository), *options], 2, sentence)


def test_port_in_use(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use is one sentence and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        sentence = f"expected 127.0.0.1:{port} to be free for Triton, but {this_process()} has it already"
        check_refused(capsys, ["--model-repository", str(repository), "--grpc-port", str(port)], 1, sentence)


def test_missing_wheel(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing server is one sentence and exit code 1."""
    monkeypatch.setattr(installation, "DISTRIBUTION", "absent")
    sentence = "the Triton server (absent) is not installed: pip install --no-deps nvidia-pytriton==0.7.0"
    check_refused(capsys, ["--model-repository", str(repository)], 1, sentence)


def test_start_fails(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Triton that gives up is one sentence and exit code 1; what follows ``--`` reaches it."""
    arguments = ["--model-repository", str(repository), "--http-port", "0", "--", "--no-such-option"]
    assert main(arguments) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: Triton exited with code 1: ")
    assert last.endswith("tritonserver: unrecognized option '--no-such-option'")


@pytest.mark.parametrize("option", ["--processes", "--http-port", "--start-timeout-s"])
def test_not_a_number(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Text where a number belongs is refused with the option's name and exit code 2."""
    with pytest.raises(SystemExit) as caught:
        main([option, "many"])
    assert caught.value.code == 2
    assert option in capsys.readouterr().err
