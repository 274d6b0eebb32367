"""embedded/tls.py, with a real Triton"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from bridge.access.tls import TritonTls
from bridge.triton import TritonClient
from embedded import EmbeddedConfig, serve
from embedded.errors import BadSetting
from embedded.tls import CA_FILE, CERTIFICATE_FILE, KEY_FILE, GrpcTls
from tests.clients.certificates import make_certificate
from tests.embedded.processes import STUB, find_family, wait_until
from tests.embedded.test_server import config_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A certificate for localhost, which is its own authority, laid out as a secret of Kubernetes."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    certificate = make_certificate(openssl, tmp_path)
    for name, path in (
        (CERTIFICATE_FILE, certificate.path),
        (CA_FILE, certificate.path),
        (KEY_FILE, certificate.key_path),
    ):
        shutil.copy(path, tmp_path / name)
    return tmp_path


async def test_only_who_has_a_certificate_is_answered(repository: Path, folder: Path) -> None:
    """The bridge with its certificate is answered; who has none, or speaks no TLS, is not."""
    config = config_for(repository, grpc_tls_dir=folder, grpc_tls_name="localhost")
    async with serve(config) as (server,):
        ca, certificate, key = (str(folder / name) for name in (CA_FILE, CERTIFICATE_FILE, KEY_FILE))
        tls = TritonTls(ca, certificate, key, "localhost")
        client = TritonClient(server.grpc_url, tls=tls)
        assert await client.is_server_ready(5.0)
        await client.close()
        anonymous = grpc.ssl_channel_credentials((folder / CA_FILE).read_bytes())
        named = [("grpc.ssl_target_name_override", "localhost")]
        for channel in (
            grpc.aio.secure_channel(server.grpc_url, anonymous, named),
            grpc.aio.insecure_channel(server.grpc_url),
        ):
            async with channel:
                stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=5.0)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_its_keeper_speaks_it_too(repository: Path, folder: Path) -> None:
    """A model whose process dies is made anew, by control over TLS."""
    config = config_for(repository, grpc_tls_dir=folder, grpc_tls_name="localhost")
    async with serve(config) as (server,):
        family = find_family(f"--grpc-port={server.grpc_port}")
        stubs = {process.pid for process in family.members if STUB in process.command}
        for process in family.members:
            if process.pid in stubs:
                process.kill()

        def made_anew() -> bool | None:
            members = find_family(f"--grpc-port={server.grpc_port}").members
            return bool({process.pid for process in members if STUB in process.command} - stubs) or None

        await asyncio.to_thread(wait_until, made_anew)
        async with server.grpc_channel() as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            assert (await stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=5.0)).ready


def test_files_that_are_none(repository: Path, folder: Path) -> None:
    """A missing name, a missing file and a key of another certificate are refused at the start."""
    with pytest.raises(BadSetting) as caught:
        EmbeddedConfig(model_repository=repository, grpc_tls_dir=folder)
    assert (
        str(caught.value) == "grpc_tls_name: expected the name in the certificate of grpc_tls_dir, got none"
    )
    (folder / KEY_FILE).unlink()
    with pytest.raises(
        BadSetting, match=r"^grpc_tls_dir: expected a folder with tls.crt, tls.key and ca.crt"
    ):
        EmbeddedConfig(model_repository=repository, grpc_tls_dir=folder, grpc_tls_name="localhost")


def test_arguments() -> None:
    """Triton is told to ask who calls for a certificate, and where its own is."""
    assert GrpcTls(Path("/tls"), "triton").arguments() == [
        "--grpc-use-ssl=true",
        "--grpc-use-ssl-mutual=true",
        "--grpc-server-cert=/tls/tls.crt",
        "--grpc-server-key=/tls/tls.key",
        "--grpc-root-cert=/tls/ca.crt",
    ]
