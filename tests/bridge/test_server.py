"""bridge/server.py"""

import asyncio
import contextlib
import dataclasses
import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus

from bridge.access.tokens import Key, sign
from bridge.config import BridgeConfig
from bridge.errors import ListenError
from bridge.protocol import encode_frame_request
from bridge.server import Bridge, serve
from tests.bridge.helpers import WAIT_S, config_for, connected, http, receive, triton_process
from tests.fake_triton import FakeTriton, fake_jpeg


@contextlib.asynccontextmanager
async def connected_and_stopping(triton, **settings):
    """Put three slow requests in flight and tell the bridge to stop; yield connection, stop and port."""
    context = serve(config_for(triton, **settings))
    bridge = await context.__aenter__()
    async with connected(bridge) as websocket:
        for frame_id in range(3):
            await websocket.send(encode_frame_request("slow", frame_id))
        await triton.wait_for_calls("slow", 3)
        stopping = asyncio.create_task(context.__aexit__(None, None, None))
        await asyncio.sleep(0)  # one step: it stops listening in the first
        yield websocket, stopping, bridge.port
    await stopping


@pytest.mark.parametrize("path", ["/", "/ws"])
async def test_websocket_paths(bridge, path):
    """A handshake is taken at the root, as by the predecessor, and at /ws."""
    async with connect(f"ws://127.0.0.1:{bridge.port}{path}") as websocket:
        await websocket.send(encode_frame_request("echo", 1))
        assert await receive(websocket) == fake_jpeg("echo", 1)


async def test_request_ids(triton, bridge):
    """A connection's id is its header's, its query's or new; its requests are numbered below it."""
    url = f"ws://127.0.0.1:{bridge.port}/ws"
    ids = []
    for address, headers in ((url, {"X-Request-ID": "mine"}), (f"{url}?request_id=page", {}), (url, {})):
        async with connect(address, additional_headers=headers) as websocket:
            ids.append(websocket.response.headers["X-Request-ID"])
            for _ in range(2):
                await websocket.send(encode_frame_request("echo", 1))
                await receive(websocket)
            await websocket.send(b"")
            assert (await receive(websocket))["request_id"] == f"{ids[-1]}-3"
    assert ids[:2] == ["mine", "page"]
    assert triton.request_ids == [f"{connection}-{number}" for connection in ids for number in (1, 2)]


async def test_other_websocket_paths(bridge):
    """A handshake anywhere else is 404."""
    with pytest.raises(InvalidStatus, match="404"):
        await connect(f"ws://127.0.0.1:{bridge.port}/elsewhere")


@pytest.mark.parametrize("path", ["/ws", "/speech"])
async def test_a_foreign_pages_websocket(bridge, path):
    """A handshake for a foreign page, or under a foreign name, is refused; one for our own page is taken."""
    url = f"ws://127.0.0.1:{bridge.port}{path}"
    with pytest.raises(InvalidStatus, match="403"):
        await connect(url, origin="https://evil.example")
    with pytest.raises(InvalidStatus, match="421"):
        await connect(url.replace("127.0.0.1", "evil.example"), host="127.0.0.1")
    async with connect(url, origin=f"http://127.0.0.1:{bridge.port}"):
        pass


async def test_tokens(triton, tmp_path):
    """With tokens a handshake shows one: a service in its header, a browser as a subprotocol."""
    (tmp_path / "tokens").write_text(f"site {'s' * 32}\n")
    async with serve(config_for(triton, tokens_file=str(tmp_path / "tokens"))) as bridge:
        url = f"ws://127.0.0.1:{bridge.port}/ws"
        signed = sign(Key("site", "s" * 32), time.time() + 60)
        for wrong in (
            {},
            {"subprotocols": ["lipsync.frames.v1"]},
            {"additional_headers": {"Authorization": "Bearer x"}},
        ):
            with pytest.raises(InvalidStatus, match="401"):
                await connect(url, **wrong)
        async with connect(url, additional_headers={"Authorization": f"Bearer {'s' * 32}"}) as websocket:
            await websocket.send(encode_frame_request("echo", 1))
            assert await receive(websocket) == fake_jpeg("echo", 1)
        for path, name in (("/ws", "lipsync.frames.v1"), ("/speech", "lipsync.speech.v1")):
            offered = ["lipsync.speech.v1", "lipsync.frames.v1", f"lipsync.token.{signed}"]
            async with connect(url.replace("/ws", path), subprotocols=offered) as websocket:
                assert websocket.subprotocol == name
        async with connect(f"{url}?token={signed}"):
            pass


async def test_port_in_use(bridge, triton):
    """A port that is in use is one sentence."""
    with pytest.raises(ListenError) as caught:
        async with serve(dataclasses.replace(config_for(triton), port=bridge.port)):
            pass
    assert str(caught.value) == (
        f"expected to listen on port {bridge.port} of 127.0.0.1, got: address already in use"
    )


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8086/"),
        ("0.0.0.0", "http://localhost:8086/"),
        ("::", "http://localhost:8086/"),
        ("::1", "http://[::1]:8086/"),
    ],
)
async def test_url(host, url):
    """The URL is one that a browser on this machine can open."""

    class NoBalancer:
        upstreams = ()

    assert Bridge(BridgeConfig(host=host), NoBalancer()).url == url


@pytest.mark.parametrize(("host", "is_told"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
async def test_what_is_open_to_all(triton, caplog, host, is_told):
    """A bridge that others can reach says that it asks for no token and speaks no TLS; on loopback it does not."""
    async with serve(config_for(triton, host=host)):
        pass
    sentence = (
        f"the bridge listens on {host} and asks for no token (BRIDGE_TOKENS_FILE) and speaks no TLS "
        "(BRIDGE_TLS_CERT_FILE)"
    )
    assert (sentence in caplog.messages) == is_told


async def test_starts_without_triton():
    """The bridge starts while its Triton is away, and serves as soon as it is there."""
    async with FakeTriton() as triton:
        await triton.kill()
        async with serve(config_for(triton)) as bridge, connected(bridge) as websocket:
            assert (await http(bridge.port, "/health"))[0] == 503
            await websocket.send(encode_frame_request("echo", 1))
            assert (await receive(websocket))["code"] == "unavailable"
            await triton.start()
            await triton.wait_for_probes(2)
            await websocket.send(encode_frame_request("echo", 1))
            assert await receive(websocket) == fake_jpeg("echo", 1)


async def test_sigkill_of_an_upstream_costs_no_frame(triton):
    """A Triton killed under load costs no client a frame."""
    async with (
        triton_process() as (address, process),
        serve(config_for(triton, address, queue_wait_s=30)) as bridge,  # all is asked for at once
    ):

        async def play(count):
            async with connected(bridge) as websocket:
                for number in range(count):
                    await websocket.send(encode_frame_request("echo", number % 150))
                for number in range(count):
                    assert await receive(websocket) == fake_jpeg("echo", number % 150)

        clients = [asyncio.create_task(play(150)) for _ in range(4)]
        await triton.wait_for_calls("echo", 20)
        process.kill()
        await asyncio.gather(*clients)
        assert bridge.balancer.ready_count == 1


async def test_shutdown_answers_what_is_in_flight(triton):
    """On shutdown every request that was read is answered, then the connection closed with 1001."""
    async with connected_and_stopping(triton, shutdown_timeout_s=WAIT_S) as (websocket, stopping, port):
        with pytest.raises(OSError, match="onnect"):
            await asyncio.open_connection("127.0.0.1", port)
        triton.release.set()
        for frame_id in range(3):
            assert await receive(websocket) == fake_jpeg("slow", frame_id)
        with pytest.raises(ConnectionClosedOK) as caught:
            await receive(websocket)
        assert caught.value.rcvd.code == 1001
        await asyncio.wait_for(stopping, WAIT_S)


async def test_shutdown_has_a_deadline(triton):
    """What is not answered within shutdown_timeout_s is cancelled, and its connection dropped."""
    async with connected_and_stopping(triton, shutdown_timeout_s=0.1) as (websocket, stopping, _):
        await asyncio.wait_for(stopping, WAIT_S)
        await triton.wait_for_cancelled("slow", 3)
        with pytest.raises(ConnectionClosed):
            await receive(websocket)


async def test_shutdown_of_idle_connections(triton):
    """A connection without requests does not delay the shutdown."""
    async with serve(config_for(triton, shutdown_timeout_s=60)) as bridge, connected(bridge) as websocket:
        start_s = time.monotonic()
        await asyncio.wait_for(bridge.stop(), WAIT_S)
        assert time.monotonic() - start_s < 5
        with pytest.raises(ConnectionClosedOK):
            await receive(websocket)


async def test_shutdown_with_a_client_that_never_reads():
    """A client that leaves its answers unread delays the shutdown by shutdown_timeout_s and no more."""

    def big_jpeg(model_name, frame_id):
        return fake_jpeg(model_name, frame_id).ljust(1 << 18, b"\0")

    async with FakeTriton(jpeg=big_jpeg) as triton:
        bridge_context = serve(config_for(triton, shutdown_timeout_s=0.2))
        bridge = await bridge_context.__aenter__()
        async with connected(bridge) as websocket:
            for number in range(300):
                await websocket.send(encode_frame_request("echo", number % 150))
            await triton.wait_for_calls("echo", 32)
            await asyncio.wait_for(bridge_context.__aexit__(None, None, None), WAIT_S)
