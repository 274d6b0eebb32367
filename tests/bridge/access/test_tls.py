"""bridge/access/tls.py"""

import asyncio
import contextlib
import shutil
import ssl

import grpc
import pytest
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from websockets.asyncio.client import connect

from bridge.access.tls import OwnCertificate, TritonTls
from bridge.errors import ConfigError
from bridge.protocol import encode_frame_request
from bridge.server import serve
from bridge.triton import TritonClient
from tests.bridge.helpers import WAIT_S, config_for, receive
from tests.clients.certificates import make_certificate
from tests.fake_triton import FakeTriton, fake_jpeg


@pytest.fixture(scope="module")
def openssl():
    path = shutil.which("openssl")
    if path is None:
        pytest.skip("openssl is not installed")
    return path


@pytest.fixture
def certificates(openssl, tmp_path):
    """Two certificates, of a bridge before and after it has a new one."""
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        made.append(make_certificate(openssl, tmp_path / name))
    return made


@pytest.fixture
def files(certificates, tmp_path):
    """The bridge's certificate and key, and what replaces them."""
    paths = tmp_path / "bridge.pem", tmp_path / "bridge.key"

    def use(certificate):
        shutil.copy(certificate.key_path, paths[1])
        shutil.copy(certificate.path, paths[0])

    use(certificates[0])
    return {"tls_cert_file": str(paths[0]), "tls_key_file": str(paths[1])}, use


async def one_frame(port, trusted):
    """Ask for a frame over a WebSocket, of a bridge with this certificate."""
    context = ssl.create_default_context(cafile=trusted.path)
    async with connect(f"wss://localhost:{port}/ws", ssl=context, compression=None) as websocket:
        await websocket.send(encode_frame_request("echo", 1))
        return await receive(websocket)


async def health_of(address, trusted):
    """Ask the gRPC service for its health."""
    credentials = grpc.ssl_channel_credentials(trusted.pem[1])
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(
        address.replace("127.0.0.1", "localhost"), credentials, options
    ) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=WAIT_S
        )
    return answer.status


async def use_tls(triton, certificates, files):
    """Ask a bridge over TLS, give it another certificate, and ask again."""
    settings, use = files
    first, second = certificates
    async with serve(config_for(triton, grpc_port=0, **settings)) as bridge:
        assert bridge.url == f"https://127.0.0.1:{bridge.port}/"
        assert await one_frame(bridge.port, first) == fake_jpeg("echo", 1)
        assert await health_of(bridge.grpc_address, first) == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(ssl.SSLCertVerificationError):
            await one_frame(bridge.port, second)
        use(second)
        assert await one_frame(bridge.port, second) == fake_jpeg("echo", 1)
        assert await health_of(bridge.grpc_address, second) == health_pb2.HealthCheckResponse.SERVING


async def test_clients_over_tls(triton, certificates, files):
    """WebSocket and gRPC speak TLS, and a new certificate is used without a restart."""
    await use_tls(triton, certificates, files)


def test_clients_over_tls_with_uvloop(certificates, files):
    """The same on the loop that the bridge runs on."""

    async def run():
        async with FakeTriton() as triton:
            await use_tls(triton, certificates, files)

    uvloop.run(run())


async def test_http_over_tls(triton, certificates, files):
    """An answer comes whole over TLS, and the connection ends in order."""
    settings, _ = files
    context = ssl.create_default_context(cafile=certificates[0].path)
    async with serve(config_for(triton, **settings)) as bridge:
        reader, writer = await asyncio.open_connection("localhost", bridge.port, ssl=context)
        writer.write(b"GET /audio/echo.wav HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), WAIT_S)
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert f"Content-Length: {len(body)}".encode() in head


async def test_who_does_not_speak_tls(triton, files):
    """Without TLS there is no answer, and the bridge goes on."""
    settings, _ = files
    async with serve(config_for(triton, head_timeout_s=0.2, **settings)) as bridge:
        for sent in (b"GET / HTTP/1.1\r\n\r\n", b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
            writer.write(sent)
            with contextlib.suppress(ConnectionResetError):
                assert b"HTTP" not in await asyncio.wait_for(reader.read(), WAIT_S)
            writer.close()


def test_a_certificate_that_does_not_fit(certificates, files, caplog):
    """A certificate without its key is refused at the start, and later the one before goes on."""
    settings, _ = files
    first, second = certificates
    with pytest.raises(ConfigError, match="tls_cert_file: expected a PEM file with its key in tls_key_file"):
        OwnCertificate(first.path, second.key_path)
    with pytest.raises(ConfigError, match="No such file or directory"):
        OwnCertificate("nowhere", "nowhere")
    own = OwnCertificate(settings["tls_cert_file"], settings["tls_key_file"])
    before = own._context.value
    shutil.copy(second.path, settings["tls_cert_file"])
    assert own._context.value is before
    assert "what was read before goes on" in caplog.text


async def test_triton_over_tls(certificates):
    """Triton is asked over TLS, shown a certificate where it wants one, and not asked where it is another."""
    first, second = certificates
    async with tls_triton(first, client=second) as address:
        cases = [
            (TritonTls(first.path, second.path, second.key_path), True),
            (TritonTls(first.path), None),
            (TritonTls(second.path, second.path, second.key_path), None),
            (TritonTls(first.path, second.path, second.key_path, "other.example"), None),
            (TritonTls(first.path, second.path, second.key_path, "localhost"), True),
            (None, None),
        ]
        for tls, expected in cases:
            client = TritonClient(address, tls=tls)
            assert await client.is_server_ready(1.0) is expected
            await client.close()


async def test_a_bridge_before_such_a_triton(certificates):
    """A bridge with the right files serves frames of a Triton that wants to know who asks."""
    first, second = certificates
    settings = {
        "triton_ca_file": first.path,
        "triton_cert_file": second.path,
        "triton_key_file": second.key_path,
    }
    async with tls_triton(first, client=second) as address, serve(config_for(address, **settings)) as bridge:
        assert bridge.balancer.ready_count == 1


@contextlib.asynccontextmanager
async def tls_triton(own, client):
    """Run a server that is ready, and wants TLS with a certificate of ``client``."""
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    class Ready(service_pb2_grpc.GRPCInferenceServiceServicer):
        async def ServerReady(self, request, context):
            return service_pb2.ServerReadyResponse(ready=True)

    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Ready(), server)
    credentials = grpc.ssl_server_credentials([own.pem], client.pem[1], require_client_auth=True)
    port = server.add_secure_port("localhost:0", credentials)
    await server.start()
    try:
        yield f"localhost:{port}"
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("paths", "reason"), [(("nowhere",), "No such file or directory"), ((__file__,), "PEM")]
)
def test_files_for_triton_that_cannot_be(paths, reason):
    """Files that cannot be used are one sentence."""
    with pytest.raises(ConfigError, match="triton_ca_file: expected PEM files"):
        TritonTls(*paths)
