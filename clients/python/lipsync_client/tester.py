"""Asks a server for frames, several at a time, and counts what comes back."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lipsync_client.async_client import AsyncLipsyncClient
from lipsync_client.errors import LipsyncError, ServerError
from lipsync_client.summary import Summary

__all__ = ["Run", "at_least", "choose_model", "run"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What to ask for.

    Attributes:
        count: Requests in all.
        concurrency: Requests in flight at a time.
        start: Frame id of the first request; ids wrap around the avatar's frame count.
        save_dir: Where to write ``<model_name>_<frame_id>.jpg``, None for nowhere.
    """

    count: int
    concurrency: int = 1
    start: int = 0
    save_dir: Path | None = None


def at_least(least: int) -> Callable[[str], int]:
    """Return a parser of command-line integers of ``least`` or more; it raises ArgumentTypeError."""

    def parse(text: str) -> int:
        number = int(text) if text.lstrip("-").isdecimal() else None
        if number is None or number < least:
            raise argparse.ArgumentTypeError(f"expected an integer of at least {least}, got {text!r}")
        return number

    return parse


async def choose_model(client: AsyncLipsyncClient) -> str:
    """Return the first avatar of the server.

    Raises:
        ServerError: If the server has none.
    """
    names = await client.models()
    if not names:
        raise ServerError(client.url, None, "no avatar", "the repository has none that is loaded")
    return names[0]


async def run(client: AsyncLipsyncClient, plan: Run, summary: Summary, *, quiet: bool = False) -> None:
    """Send the requests of ``plan``, and keep ``summary`` up to date: it holds when this is cancelled.

    A request that fails is counted, and the next one sent. On a terminal a line of progress is shown, unless ``quiet``.

    Raises:
        LipsyncError: If the avatar's metadata can't be had.
        OSError: If a frame can't be saved.
    """
    metadata = await client.metadata(summary.model_name)
    frame_ids = ((plan.start + offset) % metadata.frame_count for offset in range(plan.count))
    started = time.perf_counter()
    workers = [
        asyncio.create_task(_work(client, frame_ids, plan, summary, started, quiet))
        for _ in range(min(plan.concurrency, plan.count))
    ]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _work(
    client: AsyncLipsyncClient,
    frame_ids: Iterator[int],
    plan: Run,
    summary: Summary,
    started: float,
    quiet: bool,
) -> None:
    for frame_id in frame_ids:  # shared: each worker takes the next id that nobody has taken
        sent = time.perf_counter()
        try:
            jpeg = await client.render(summary.model_name, frame_id)
        except LipsyncError as exc:
            summary.add_error(exc)
        else:
            summary.add_success((time.perf_counter() - sent) * 1000)
            await _save(plan.save_dir, f"{summary.model_name}_{frame_id}.jpg", jpeg)
        summary.elapsed_s = time.perf_counter() - started
        if not quiet:
            _show_progress(plan, summary)


async def _save(save_dir: Path | None, file_name: str, jpeg: bytes) -> None:
    if save_dir is not None:
        await asyncio.to_thread((save_dir / file_name).write_bytes, jpeg)


def _show_progress(plan: Run, summary: Summary) -> None:
    if sys.stderr.isatty():
        end = "\n" if summary.total == plan.count else ""
        text = f"\r{summary.total}/{plan.count} requests, {summary.throughput_fps:.1f} FPS "
        print(text, end=end, file=sys.stderr, flush=True)
