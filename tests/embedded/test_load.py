"""embedded/load.py, with real Tritons that share a repository"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded import Server, load, serve
from embedded.load import NotLoaded, load_new, main
from embedded.model_control import ModelControl
from tests.embedded.asking import render
from tests.embedded.conftest import ROOT
from tests.embedded.test_server import config_for

SECRET = "a_secret-of-24-characters"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    """Run the command; return exit code, output and errors."""
    command = [sys.executable, "-m", "embedded.load", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stdout, done.stderr


async def test_every_triton_gets_the_new_avatar(add_avatar: Callable[[str], Path], secret_file: Path) -> None:
    """Put into a repository that two Tritons serve from, an avatar is answered by both; again is no harm."""
    repository = add_avatar("demo")
    async with serve(config_for(repository, processes=2, control_secret_file=secret_file)) as servers:
        before = [await asyncio.to_thread(render, server, "demo", 0) for server in servers]
        add_avatar("second")
        for server in servers:
            code, printed, _ = await asyncio.to_thread(
                run, server.grpc_url, f"--control-secret-file={secret_file}", "--timeout-s=60"
            )
            assert (code, printed.startswith(f"{server.grpc_url}: demo, second, ")) == (0, True)
            assert (await asyncio.to_thread(render, server, "second", 0))[:2] == b"\xff\xd8"
        assert [await asyncio.to_thread(render, server, "demo", 0) for server in servers] == before


async def test_all_addresses_of_a_name(
    repository: Path, secret_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dns:/// name is each of its addresses: who cannot load ends the command with 1, and the others have loaded."""
    async with serve(config_for(repository, control_secret_file=secret_file)) as (server,):

        async def addresses(upstream: str) -> list[tuple[str, int]]:
            return [("127.0.0.1", server.grpc_port), ("127.0.0.1", 1)]

        monkeypatch.setattr(load, "_addresses", addresses)
        monkeypatch.setattr(load, "RETRY_S", 0.05)
        arguments = ["dns:///triton:8001", f"--control-secret-file={secret_file}", "--timeout-s=0.5"]
        assert await asyncio.to_thread(main, arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == f"127.0.0.1:{server.grpc_port}: jpeg_encode\n"
    assert printed.err == "error: Triton at 127.0.0.1:1: expected an answer, got: none within 0.5 s\n"


async def test_a_name_of_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no Triton runs, none has to load: who starts later looks by itself."""
    assert await load._addresses("dns:///nobody.invalid:8001") == []
    assert capsys.readouterr().out == "no Triton at nobody.invalid\n"
    assert await load._addresses("dns:///127.0.0.1:8001") == [("127.0.0.1", 8001)]


async def test_dns_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup that fails is no proof that nobody is there."""
    import socket

    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(NotLoaded, match=r"^expected addresses of triton, got: temporary failure"):
        await load._addresses("dns:///triton:8001")


async def test_what_is_broken_is_said(add_avatar: Callable[[str], Path], secret_file: Path) -> None:
    """A model that Triton refuses is one sentence with Triton's reason; another secret is refused as well."""
    repository = add_avatar("demo")
    async with serve(config_for(repository, control_secret_file=secret_file)) as (server,):
        broken = repository / "broken"
        broken.mkdir()
        (broken / "config.pbtxt").write_text('name: "broken"\nbackend: "nonsense"\n')
        with pytest.raises(
            NotLoaded, match=r"^Triton at .+: expected every model to be loaded, got: .*broken"
        ):
            await load_new(server, 30.0)
        stranger = Server(server.host, 0, server.grpc_port, 0, "another-secret-of-24-chars")
        with pytest.raises(NotLoaded, match="This protocol is restricted"):
            await load_new(stranger, 30.0)


async def test_models_of_the_repository(repository: Path) -> None:
    """All are listed, loaded or not."""
    async with serve(config_for(repository)) as (server,):
        control = ModelControl(server, 10.0)
        try:
            await control.unload("jpeg_encode")
            assert await control.repository_models() == ["jpeg_encode"]
        finally:
            await control.close()


@pytest.mark.parametrize("upstream", ["triton", "dns:///triton", "triton:0", ":8001", "triton:http"])
def test_addresses_that_are_none(
    upstream: str, secret_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is no address is refused with 2."""
    with pytest.raises(SystemExit) as caught:
        main([upstream, f"--control-secret-file={secret_file}"])
    assert caught.value.code == 2
    assert f"expected HOST:PORT or dns:///HOST:PORT, got {upstream}" in capsys.readouterr().err
