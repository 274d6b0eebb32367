"""bridge/monitor.py"""

import json

import pytest

from bridge.errors import ListenError
from bridge.server import serve
from tests.bridge.helpers import config_for, connected, http


async def test_metrics_elsewhere(triton, tmp_path):
    """Metrics and health have a port of their own, without token; nothing else is there, and no metrics elsewhere."""
    (tmp_path / "tokens").write_text(f"site {'s' * 32}\n")
    config = config_for(triton, metrics_port=0, tokens_file=str(tmp_path / "tokens"))
    async with serve(config) as bridge:
        assert bridge.metrics_port != bridge.port
        for path in ("/metrics", "/health"):
            assert (await http(bridge.metrics_port, path))[0] == 200
        for path in ("/", "/models", "/frames/echo/1.jpg", "/ws"):
            status, _, body = await http(bridge.metrics_port, path)
            assert (status, json.loads(body)["code"]) == (404, "not_found")
        assert (await http(bridge.port, "/metrics", authorization=f"Bearer {'s' * 32}"))[0] == 404
        assert (await http(bridge.metrics_port, "/metrics", origin="https://evil.example"))[0] == 403


async def test_metrics_of_a_full_bridge(triton):
    """However many connections the bridge has, its metrics are read."""
    async with serve(config_for(triton, metrics_port=0, max_connections=1)) as bridge, connected(bridge):
        status, _, body = await http(bridge.metrics_port, "/metrics")
    assert status == 200
    assert b"lipsync_bridge_connections 1.0" in body


async def test_a_port_in_use(triton, bridge):
    """A port that is in use is one sentence, and nothing is left listening."""
    with pytest.raises(ListenError, match="address already in use"):
        async with serve(config_for(triton, metrics_port=bridge.port)):
            pass
