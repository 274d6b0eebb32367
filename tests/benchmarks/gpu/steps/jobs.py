"""Jobs of every kind for a crew's processes, which import them by name."""

from __future__ import annotations

import asyncio
import os


async def process_id() -> int:
    return os.getpid()


async def fail(text: str) -> None:
    raise ValueError(text)


async def die() -> None:
    os._exit(3)


async def wait_for_all() -> None:
    await asyncio.Event().wait()
