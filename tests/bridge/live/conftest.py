"""A fake Triton whose avatars can be spoken to, and a bridge in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.live import silence
from bridge.server import Bridge, serve
from tests.bridge.helpers import config_for
from tests.fake_triton import FakeTriton

HEARING = ("echo", "stuck", "losing", "broken", "full")


@pytest.fixture(autouse=True)
def one_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """How fast a fake Triton is, nobody wants to know: the first trial will do."""
    monkeypatch.setattr(silence, "TRIALS", silence.TRIALS[:1])


@pytest.fixture
async def triton() -> AsyncIterator[FakeTriton]:
    async with FakeTriton(frame_count=37, models=["deaf"], hearing=HEARING) as triton:
        yield triton


@pytest.fixture
async def bridge(triton: FakeTriton) -> AsyncIterator[Bridge]:
    async with serve(config_for(triton, shutdown_timeout_s=2.0, speech_admission="off")) as bridge:
        yield bridge
