"""bridge/session.py"""

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from bridge.protocol import encode_frame_request
from bridge.server import serve
from tests.bridge.helpers import config_for, connected, http, receive
from tests.fake_triton import FakeTriton, fake_jpeg


def big_jpeg(model_name, frame_id):
    """Return a picture of 256 KiB."""
    return fake_jpeg(model_name, frame_id).ljust(1 << 18, b"\0")


async def receive_all(websocket):
    """Read until the connection is closed."""
    while True:
        await receive(websocket)


async def test_answers_come_in_request_order(triton, bridge):
    """However long each takes and whatever becomes of it, answers come in the order of their requests."""
    requests = [
        encode_frame_request("slow", 1),
        encode_frame_request("echo", 2),
        encode_frame_request("broken", 3),
        encode_frame_request("nobody", 4),
        "{",
        encode_frame_request("slow", 5),
        '{"type": "list_models"}',
        bytes(5000),
        encode_frame_request("echo", 150),
        encode_frame_request("echo", 6),
    ]
    async with connected(bridge) as websocket:
        for request in requests:
            await websocket.send(request)
        await triton.wait_for_calls("slow", 2)
        await triton.wait_for_calls("echo", 3)
        triton.release.set()
        answers = [await receive(websocket) for _ in requests]
    assert answers[0] == fake_jpeg("slow", 1)
    assert answers[1] == fake_jpeg("echo", 2)
    assert [answer["code"] for answer in answers[2:5]] == ["internal", "unknown_model", "bad_request"]
    assert answers[5] == fake_jpeg("slow", 5)
    assert answers[6]["models"] == ["broken", "echo", "slow"]
    assert [answer["code"] for answer in answers[7:9]] == ["message_too_large", "invalid_frame_id"]
    assert answers[9] == fake_jpeg("echo", 6)


async def test_thousand_pipelined_frames(bridge):
    """A thousand frames sent at once come back in order, byte for byte."""
    async with connected(bridge) as websocket:

        async def send_all():
            for number in range(1000):
                await websocket.send(encode_frame_request("echo", number % 150))

        sending = asyncio.create_task(send_all())
        for number in range(1000):
            assert await receive(websocket) == fake_jpeg("echo", number % 150)
        await sending


async def test_the_connection_goes_on_after_every_error(bridge):
    """After each kind of malformed message the connection answers the next frame."""
    async with connected(bridge) as websocket:
        for message in (b"", b"\x09short", b"\x01\xff" + bytes(4), "text", "[]", '{"type": 3}', bytes(4097)):
            await websocket.send(message)
            assert (await receive(websocket))["type"] == "error"
            await websocket.send(encode_frame_request("echo", 1))
            assert await receive(websocket) == fake_jpeg("echo", 1)


async def test_a_megabyte_closes_the_connection(bridge):
    """A message beyond 1 MiB is not read, and closes its connection with 1009, but no other."""
    async with connected(bridge) as websocket, connected(bridge) as neighbour:
        await websocket.send(bytes((1 << 20) + 1))
        with pytest.raises(ConnectionClosedError) as caught:
            await receive(websocket)
        assert caught.value.rcvd.code == 1009
        await neighbour.send(encode_frame_request("echo", 1))
        assert await receive(neighbour) == fake_jpeg("echo", 1)


async def test_disconnect_cancels_requests(triton, bridge):
    """When a client leaves, what it asked for is cancelled in Triton, and the upstream is given back."""
    async with connected(bridge) as websocket:
        for frame_id in range(5):
            await websocket.send(encode_frame_request("slow", frame_id))
        await triton.wait_for_calls("slow", 5)
        assert bridge.balancer.upstreams[0].inflight == 5
        websocket.transport.abort()
        await triton.wait_for_cancelled("slow", 5)
    metrics = (await http(bridge.port, "/metrics"))[2]
    assert b"lipsync_bridge_requests_inflight 0.0\n" in metrics
    assert b"lipsync_bridge_connections 0.0\n" in metrics
    assert bridge.balancer.upstreams[0].inflight == 0


async def test_disconnect_with_a_full_window(triton):
    """A client that leaves while the bridge reads no more of it is noticed, too."""
    async with serve(config_for(triton, max_inflight=2, infer_timeout_s=60)) as bridge:
        async with connected(bridge) as websocket:
            for frame_id in range(4):
                await websocket.send(encode_frame_request("slow", frame_id))
            await triton.wait_for_calls("slow", 2)
            websocket.transport.abort()
            await triton.wait_for_cancelled("slow", 2)
        assert triton.calls["slow"] == 2


async def test_flood_without_reading(triton):
    """Of 10,000 requests at most max_inflight are under way; others are served, and all get their answer.

    Ten of them wait for Triton at the head of the queue; the rest is cheap, to keep the test short.
    """
    requests = [encode_frame_request("slow", number) for number in range(10)]
    requests += [encode_frame_request("slow", 2**32 - 1)] * 9_990
    async with (
        serve(config_for(triton, max_inflight=8, infer_timeout_s=60)) as bridge,
        connected(bridge) as flooder,
        connected(bridge) as neighbour,
    ):

        async def flood():
            for request in requests:
                await flooder.send(request)

        flooding = asyncio.create_task(flood())
        await triton.wait_for_calls("slow", 8)
        for frame_id in range(50):
            await neighbour.send(encode_frame_request("echo", frame_id))
            assert await receive(neighbour) == fake_jpeg("echo", frame_id)
        assert triton.calls["slow"] == 8
        triton.release.set()
        for number in range(10):
            assert await receive(flooder) == fake_jpeg("slow", number)
        for _ in range(9_990):
            assert (await receive(flooder))["code"] == "invalid_frame_id"
        await flooding


async def test_unread_answers_hold_back_requests():
    """A client that does not read its pictures is soon no longer read either, and others are served."""
    async with (
        FakeTriton(models=("echo", "other"), jpeg=big_jpeg) as triton,
        serve(config_for(triton, max_inflight=8, shutdown_timeout_s=0.2)) as bridge,
        connected(bridge) as flooder,
        connected(bridge) as neighbour,
    ):
        for number in range(1000):
            await flooder.send(encode_frame_request("echo", number % 150))
        for frame_id in range(100):
            await neighbour.send(encode_frame_request("other", frame_id))
            assert await receive(neighbour) == big_jpeg("other", frame_id)
        assert triton.calls["echo"] < 200  # what sockets hold, at 256 KiB each, and the window


async def test_a_client_that_never_reads_is_disconnected():
    """After send_timeout_s with an unread answer the connection is dropped, and its requests cancelled."""
    async with (
        FakeTriton(models=("echo", "slow"), jpeg=big_jpeg) as triton,
        serve(config_for(triton, send_timeout_s=1.0, max_inflight=128)) as bridge,
        connected(bridge) as websocket,
    ):
        for number in range(120):  # more than sockets hold, at 256 KiB each
            await websocket.send(encode_frame_request("echo", number))
        await websocket.send(encode_frame_request("slow", 1))
        await triton.wait_for_calls("slow", 1)
        await triton.wait_for_cancelled("slow", 1)
        with pytest.raises(ConnectionClosed):
            await receive_all(websocket)


async def test_sent_bytes_are_counted(bridge):
    """The bytes of all answers, pictures and text, are counted."""
    async with connected(bridge) as websocket:
        await websocket.send(encode_frame_request("echo", 1))
        await websocket.send('{"type": "list_models"}')
        jpeg, text = await websocket.recv(), await websocket.recv()
        assert json.loads(text)["count"] == 3
        metrics = (await http(bridge.port, "/metrics"))[2].decode()
    assert f"lipsync_bridge_sent_bytes_total {float(len(jpeg) + len(text))}\n" in metrics


async def test_a_bug_ends_one_connection(bridge, caplog, monkeypatch):
    """An exception nobody foresaw ends its connection alone, and its traceback is in the log."""
    answer = bridge._answerer.answer

    async def fail(message, request_id):
        if message == "fail":
            raise RuntimeError("unforeseen")
        return await answer(message, request_id)

    monkeypatch.setattr(bridge._answerer, "answer", fail)
    async with connected(bridge) as other, connected(bridge) as websocket:
        await websocket.send("fail")
        with pytest.raises(ConnectionClosed):
            await receive_all(websocket)
        await other.send(encode_frame_request("echo", 1))
        assert await receive(other) == fake_jpeg("echo", 1)
    assert "a bug: a connection ended with a foreign exception" in caplog.text
    assert "RuntimeError: unforeseen" in caplog.text
