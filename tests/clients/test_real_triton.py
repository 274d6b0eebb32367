"""All four kinds of client against a real Triton that serves the avatar ``demo``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lipsync_client import InvalidFrameId, UnknownModel
from tests.clients.kinds import KINDS, Client, opened

INFER_TIMEOUT_S = 60.0
"""Enough for a full batch on a slow, busy CPU."""


def open_kind(kind: str, triton: Any) -> Any:
    """Open a client of ``kind`` for the real server."""
    address = triton.grpc_url if kind.endswith("grpc") else triton.http_url
    return opened(kind, address, infer_timeout_s=INFER_TIMEOUT_S)


@pytest.fixture
async def real(kind: str, triton: Any) -> AsyncIterator[Client]:
    """A client of each kind in turn, connected to the real server."""
    async with open_kind(kind, triton) as client:
        yield client


async def test_ready_with_the_demo_avatar(real: Client) -> None:
    """The server is ready and lists the demo avatar, whose facts are complete."""
    assert await real.call("is_server_ready") is True
    assert "demo" in await real.call("models")
    metadata = await real.call("metadata", "demo")
    assert metadata.frame_count > 0
    assert metadata.fps > 0
    assert metadata.audio_mode in ("ave", "hubert", "wenet")
    assert metadata.max_batch_size == 16


async def test_all_kinds_give_equal_bytes(triton: Any) -> None:
    """The same frames come as the same bytes through each client, alone and in a batch."""
    frame_ids = [0, 1, 7]
    answers = []
    for kind in KINDS:
        async with open_kind(kind, triton) as client:
            answers.append([await client.render("demo", i) for i in frame_ids])
            answers.append(await client.call("render_batch", "demo", frame_ids))
    assert all(jpeg.startswith(b"\xff\xd8") and jpeg.endswith(b"\xff\xd9") for jpeg in answers[0])
    assert len(set(answers[0])) == len(frame_ids)
    assert answers == [answers[0]] * len(answers)


async def test_id_out_of_range(real: Client) -> None:
    """The ids just outside the avatar's range are refused with that range."""
    last = (await real.call("metadata", "demo")).frame_count - 1
    for frame_id in (-1, last + 1):
        with pytest.raises(InvalidFrameId) as caught:
            await real.render("demo", frame_id)
        assert (caught.value.frame_id, caught.value.first, caught.value.last) == (frame_id, 0, last)


@pytest.mark.parametrize("model_name", ["nobody", "", "no/body"])
async def test_unknown_model(real: Client, model_name: str) -> None:
    """A name that the server doesn't know is an unknown model, for frames and for facts."""
    with pytest.raises(UnknownModel):
        await real.render(model_name, 0)
    with pytest.raises(UnknownModel):
        await real.call("metadata", model_name)


async def test_batch_of_40(real: Client) -> None:
    """A batch larger than the model's is cut and put together in order."""
    count = (await real.call("metadata", "demo")).frame_count
    frame_ids = [i % count for i in range(40)]
    jpegs = await real.call("render_batch", "demo", frame_ids)
    assert len(jpegs) == 40
    assert jpegs[17] == await real.render("demo", frame_ids[17])


async def test_stream_of_50(real: Client) -> None:
    """A stream gives fifty frames in order, each with a box that has an area."""
    frames = [frame async for frame in real.stream("demo", 0, 50)]
    assert [frame.frame_id for frame in frames] == list(range(50))
    assert all(x1 < x2 and y1 < y2 for x1, y1, x2, y2 in (frame.bounds for frame in frames))
    assert frames[49].jpeg == await real.render("demo", 49)


async def test_kinds_at_the_same_time(triton: Any) -> None:
    """All four kinds stream at once without disturbing each other."""

    async def stream(kind: str) -> list[bytes]:
        async with open_kind(kind, triton) as client:
            return [frame.jpeg async for frame in client.stream("demo", 0, 10, max_inflight=4)]

    streams = await asyncio.gather(*map(stream, KINDS))
    assert streams == [streams[0]] * len(KINDS)
