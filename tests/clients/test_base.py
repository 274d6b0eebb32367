"""What is checked before any request, whichever the client."""

from __future__ import annotations

import pytest

from lipsync_client import AsyncLipsyncClient, ClientClosed, InvalidFrameId, InvalidSetting, LipsyncClient
from tests.clients.kinds import opened


def test_url_is_spelled_out() -> None:
    """A client knows its server's scheme and port even if its caller left them out."""
    with LipsyncClient("triton") as client:
        assert client.url == "grpc://triton:8001"


async def test_closed_client(kind: str, address: str) -> None:
    """After close every method refuses, also when closed twice."""
    async with opened(kind, address) as client:
        await client.call("is_server_ready")
        await client.call("close")
        with pytest.raises(ClientClosed):
            await client.render("echo", 0)
        with pytest.raises(ClientClosed):
            client.client.stream("echo", 0, 1)


@pytest.mark.parametrize("client_class", [LipsyncClient, AsyncLipsyncClient])
def test_stream_checks_at_once(client_class: type[LipsyncClient]) -> None:
    """A stream refuses bad arguments when it is made, not when it is first read."""
    client = client_class("triton")
    with pytest.raises(InvalidSetting, match=r"^max_inflight must be at least 1, got 0$"):
        client.stream("demo", 0, 10, max_inflight=0)
    with pytest.raises(InvalidFrameId, match="got 'a'"):
        client.stream("demo", "a", 10)  # type: ignore[arg-type]  # the point
