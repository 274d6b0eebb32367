"""The load that the tester makes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lipsync_client import AsyncLipsyncClient, ServerError
from lipsync_client.summary import Summary
from lipsync_client.tester import Run, choose_model, run
from tests.fake_triton import FakeTriton, fake_jpeg


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_ids_wrap_around(tmp_path: Path) -> None:
    """After an avatar's last frame comes its first, and each is saved under its own id."""
    async with FakeTriton(frame_count=3) as fake, AsyncLipsyncClient(fake.address) as client:
        summary = Summary(client.url, "echo")
        await run(client, Run(count=4, start=5, save_dir=tmp_path), summary)
        assert fake.calls["echo"] == 4
    assert contents(tmp_path) == {f"echo_{i}.jpg": fake_jpeg("echo", i) for i in range(3)}
    assert summary.total == len(summary.latencies_ms) == 4


async def test_concurrency_bounds_what_is_in_flight(fake: FakeTriton) -> None:
    """While the server holds its answers back, exactly ``concurrency`` requests wait."""
    async with AsyncLipsyncClient(fake.address) as client:
        summary = Summary(client.url, "slow")
        task = asyncio.ensure_future(run(client, Run(count=50, concurrency=4), summary))
        await fake.wait_for_calls("slow", 4)
        with pytest.raises(asyncio.TimeoutError):
            await fake.wait_for_calls("slow", 5, wait_s=0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await fake.wait_for_cancelled("slow", 4)


async def test_failures_are_counted_and_the_run_goes_on(fake: FakeTriton) -> None:
    """A failing request doesn't stop the others."""
    async with AsyncLipsyncClient(fake.address) as client:
        summary = Summary(client.url, "broken")
        await run(client, Run(count=5, concurrency=2), summary)
    assert (summary.total, summary.errors.total(), len(summary.errors)) == (5, 5, 1)


async def test_first_avatar_is_chosen(fake: FakeTriton) -> None:
    """Without a name, the first avatar of the server is taken."""
    async with AsyncLipsyncClient(fake.address) as client:
        assert await choose_model(client) == "broken"


async def test_server_without_avatars() -> None:
    """A server with no avatar says so."""
    async with FakeTriton(models=()) as fake, AsyncLipsyncClient(fake.address) as client:
        with pytest.raises(ServerError, match="got no avatar: the repository has none that is loaded"):
            await choose_model(client)
