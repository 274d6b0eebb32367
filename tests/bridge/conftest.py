"""A fake Triton and a bridge in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.server import Bridge, serve
from tests.bridge.helpers import config_for
from tests.fake_triton import FakeTriton


@pytest.fixture
async def triton() -> AsyncIterator[FakeTriton]:
    async with FakeTriton() as triton:
        yield triton


@pytest.fixture
async def bridge(triton: FakeTriton) -> AsyncIterator[Bridge]:
    async with serve(config_for(triton, shutdown_timeout_s=2.0)) as bridge:
        yield bridge


@pytest.fixture
async def tritons() -> AsyncIterator[tuple[FakeTriton, FakeTriton, FakeTriton]]:
    async with FakeTriton() as first, FakeTriton() as second, FakeTriton() as third:
        yield first, second, third
