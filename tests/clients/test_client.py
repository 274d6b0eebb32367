"""What clients of all four kinds do alike."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing

import pytest

from lipsync_client import (
    AvatarMetadata,
    InferTimeout,
    InvalidFrameId,
    LipsyncClient,
    ServerError,
    ServerUnavailable,
    UnknownModel,
)
from tests.clients.kinds import Client, opened
from tests.fake_triton import BOUNDS, FakeTriton, fake_jpeg


async def test_render_returns_the_frames_jpeg(client: Client) -> None:
    """Rendering gives the bytes the server has for this avatar and frame."""
    assert await client.render("echo", 7) == fake_jpeg("echo", 7)


async def test_render_asks_for_jpeg_and_bounds_only(client: Client, fake: FakeTriton) -> None:
    """A request names the two outputs it wants, so that no other tensor travels."""
    await client.render("echo", 0)
    assert fake.requested_outputs == [["jpeg", "bounds"]]


async def test_batch_is_cut_at_the_models_limit(client: Client, fake: FakeTriton) -> None:
    """Forty frames, not in ascending order, come in their order from three requests of at most 16."""
    frame_ids = list(range(39, -1, -1))
    assert await client.call("render_batch", "echo", frame_ids) == [fake_jpeg("echo", i) for i in frame_ids]
    assert fake.calls["echo"] == 3


async def test_empty_batch_asks_nobody(client: Client, fake: FakeTriton) -> None:
    """A batch of no frames is an empty list, and no request."""
    assert await client.call("render_batch", "echo", []) == []
    assert not fake.calls


async def test_stream_is_in_order(client: Client) -> None:
    """A stream gives each frame of its range once, in order, with picture, bounds and latency."""
    frames = [frame async for frame in client.stream("echo", 3, 53)]
    assert [frame.frame_id for frame in frames] == list(range(3, 53))
    assert [frame.jpeg for frame in frames] == [fake_jpeg("echo", i) for i in range(3, 53)]
    assert {frame.bounds for frame in frames} == {BOUNDS}
    assert all(frame.latency_ms > 0 for frame in frames)


async def test_stream_keeps_no_more_than_max_inflight(client: Client, fake: FakeTriton) -> None:
    """While the server holds its answers back, a stream has sent exactly max_inflight requests."""
    frames = client.stream("slow", 0, 50, max_inflight=3)
    first = asyncio.ensure_future(anext(frames))
    await fake.wait_for_calls("slow", 3)
    with pytest.raises(asyncio.TimeoutError):
        await fake.wait_for_calls("slow", 4, wait_s=0.2)
    fake.release.set()
    assert (await first).frame_id == 0
    await frames.aclose()


async def test_stream_left_early_asks_for_no_more(client: Client, fake: FakeTriton) -> None:
    """Leaving a stream after one frame leaves the other 149 unasked, but those in flight."""
    async with aclosing(client.stream("echo", 0, 150, max_inflight=4)) as frames:
        await anext(frames)
    assert 1 <= fake.calls["echo"] <= 4


async def test_stream_gives_the_frames_before_a_bad_one(client: Client) -> None:
    """A stream beyond the last frame gives all valid ones, then raises."""
    frames = client.stream("echo", 147, 155)
    assert [(await anext(frames)).frame_id for _ in range(3)] == [147, 148, 149]
    with pytest.raises(InvalidFrameId, match=r"within \[0, 149\], got 150$"):
        await anext(frames)


async def test_stream_of_an_empty_range_is_empty(client: Client) -> None:
    """A range without frames gives none."""
    assert [frame async for frame in client.stream("echo", 5, 5)] == []


async def test_models_are_the_loaded_avatars(client: Client, fake: FakeTriton) -> None:
    """Of all models only the avatars that are loaded are listed, sorted."""
    fake.add_model("another")
    fake.unload_model("slow")
    assert await client.call("models") == ["another", "broken", "echo"]


async def test_metadata(client: Client) -> None:
    """An avatar's facts come from its frame lookup's configuration, with their types."""
    expected = AvatarMetadata("echo", 150, 25.0, "ave", "zeros", 16)
    assert await client.call("metadata", "echo") == expected


@pytest.mark.parametrize("frame_id", [-1, 150])
async def test_id_outside_the_avatars_range(client: Client, frame_id: int) -> None:
    """The server's refusal of an id becomes an error that knows the valid range."""
    with pytest.raises(InvalidFrameId) as caught:
        await client.render("echo", frame_id)
    error = caught.value
    assert (error.model_name, error.frame_id, error.first, error.last) == ("echo", frame_id, 0, 149)
    assert error.__cause__ is not None


@pytest.mark.parametrize("model_name", ["nobody", "", "no/body", "nöbody?"])
async def test_unknown_model(client: Client, model_name: str) -> None:
    """A name the server doesn't know, odd ones included, is an unknown model."""
    with pytest.raises(UnknownModel) as caught:
        await client.render(model_name, 0)
    assert caught.value.model_name == model_name


async def test_unloaded_model(client: Client, fake: FakeTriton) -> None:
    """An avatar that was unloaded is unknown, for frames and for facts."""
    fake.unload_model("echo")
    with pytest.raises(UnknownModel, match="has no available versions"):
        await client.render("echo", 0)
    with pytest.raises(UnknownModel, match="got 'echo'"):
        await client.call("metadata", "echo")


async def test_any_other_refusal(client: Client) -> None:
    """A failure inside the server keeps the server's words."""
    with pytest.raises(ServerError, match="the secret of model 'broken'") as caught:
        await client.render("broken", 0)
    assert caught.value.status in ("INTERNAL", "500")


async def test_late_answer(kind: str, address: str) -> None:
    """An answer that doesn't come within infer_timeout_s is a timeout that says so."""
    async with opened(kind, address, infer_timeout_s=0.2) as client:
        with pytest.raises(InferTimeout, match=r"about 'slow' from .* within 0\.2 s, got none$"):
            await client.render("slow", 0)
        assert await client.render("echo", 1) == fake_jpeg("echo", 1)


async def test_server_away(kind: str, address: str, fake: FakeTriton, free_port: int) -> None:
    """Where nobody listens, readiness is False, and a request says which server is missing."""
    async with opened(kind, f"127.0.0.1:{free_port}") as client:
        assert await client.call("is_server_ready") is False
        with pytest.raises(ServerUnavailable, match=f"server at (grpc|http)://127.0.0.1:{free_port}, got"):
            await client.render("echo", 0)


async def test_readiness(client: Client, fake: FakeTriton) -> None:
    """Readiness is what the server says of itself."""
    assert await client.call("is_server_ready") is True
    fake.set_ready(False)
    assert await client.call("is_server_ready") is False


async def test_threads_share_a_client(fake: FakeTriton) -> None:
    """Eight threads with one sync client get their own frames."""
    got: dict[int, bytes] = {}
    with LipsyncClient(fake.address) as client:

        def render(frame_id: int) -> None:
            got[frame_id] = client.render("echo", frame_id)

        threads = [threading.Thread(target=render, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join, 10)
    assert got == {i: fake_jpeg("echo", i) for i in range(8)}
