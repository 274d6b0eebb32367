"""A headless Chromium for the tests of the page, and what they do with the page again and again."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

__all__ = [
    "Played",
    "chromium_path",
    "figure",
    "launch_browser",
    "open_page",
    "play_and_count",
    "shown_frame",
]

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

WAIT_MS = 20_000.0
"""Deadline of every wait, in milliseconds: only a failing test waits that long."""

POLICY = "Content Security Policy"
"""What a browser's message about a breach of it contains."""

COUNT_PICTURES = """
([count, press, waitMs]) => new Promise((resolve, reject) => {
  const canvas = document.getElementById("picture");
  const value = (id) => Number(document.getElementById(id).dataset.value);
  const before = value("dropped");
  const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const frameIds = [];
  const reds = [];
  const observer = new MutationObserver(() => {
    frameIds.push(Number(canvas.dataset.frame));
    probe.drawImage(canvas, -canvas.width / 2, -canvas.height / 2);
    reds.push(probe.getImageData(0, 0, 1, 1).data[0]);
    if (frameIds.length < count) return;
    observer.disconnect();
    resolve({ frame_ids: frameIds, reds, dropped: value("dropped") - before });
  });
  observer.observe(canvas, { attributeFilter: ["data-frame"] });
  setTimeout(() => reject(new Error(`${frameIds.length} of ${count} pictures in ${waitMs} ms`)), waitMs);
  if (press) document.getElementById("play").click();
})
"""


@dataclass(frozen=True)
class Played:
    """What one stretch of playback put on the canvas.

    Attributes:
        frame_ids: The frames shown, in the order shown.
        reds: The red value, 0 to 255, in the middle of each.
        dropped: Frames that the page counted as dropped meanwhile.
    """

    frame_ids: list[int]
    reds: list[int]
    dropped: int


def chromium_path() -> str:
    """Return the system's Chromium; where there is none, skip the test, or fail it on CI."""
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        reason = f"expected one of {', '.join(CHROMIUM_NAMES)} on the path, got none"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@contextlib.asynccontextmanager
async def launch_browser(*args: str) -> AsyncIterator[Browser]:
    """Start Chromium, with further arguments, and stop it when the block ends."""
    path = chromium_path()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*CHROMIUM_ARGS, *args])
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def open_page(
    browser: Browser, url: str, *, init_script: str = "", **options: Any
) -> AsyncIterator[Page]:
    """Open the page in a context of its own, and yield it once it is connected.

    Args:
        browser: From ``launch_browser``.
        url: Address of a bridge.
        init_script: JavaScript that runs before the page's.
        options: Options of ``Browser.new_context``, for example ``viewport``.

    Raises:
        AssertionError: At the end of the block, if the page's script raised anything, or the browser kept it from what
            its Content-Security-Policy forbids.
    """
    raised: list[str] = []
    async with await browser.new_context(**options) as context:
        context.set_default_timeout(WAIT_MS)
        page = await context.new_page()
        page.on("pageerror", lambda error: raised.append(str(error)))
        page.on("console", lambda message: raised.extend([message.text] if POLICY in message.text else []))
        await page.add_init_script(init_script)
        await page.goto(url)
        await expect(page.locator("#link")).to_have_text("Connected", timeout=WAIT_MS)
        yield page
    assert raised == []


async def shown_frame(page: Page, frame_id: int) -> None:
    """Return once the canvas shows ``frame_id`` and stays with it, else raise AssertionError."""
    await expect(page.locator("#picture")).to_have_attribute("data-frame", str(frame_id), timeout=WAIT_MS)


async def figure(page: Page, name: str) -> float:
    """Return the value of one of the page's figures, for example ``shown`` or ``dropped``."""
    return float(await page.get_attribute(f"#{name}", "data-value") or "nan")


async def count_pictures(page: Page, frames: int) -> Played:
    """Return once the page, which is playing, has drawn ``frames`` more pictures."""
    return Played(**await page.evaluate(COUNT_PICTURES, [frames, False, WAIT_MS]))


async def play_and_count(page: Page, frames: int) -> Played:
    """Press play, wait until ``frames`` pictures were drawn, and press pause."""
    await expect(page.locator("#picture")).to_have_attribute(
        "data-frame", re.compile(r"\d+"), timeout=WAIT_MS
    )
    played = Played(**await page.evaluate(COUNT_PICTURES, [frames, True, WAIT_MS]))
    await page.click("#play")
    return played
