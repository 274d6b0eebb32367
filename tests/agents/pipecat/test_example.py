"""clients/pipecat/examples/talking_face.py, in a real browser."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from playwright.async_api import Page

from demo.measure import measure_mouth
from tests.agents.conftest import ROOT, Running
from tests.agents.pipecat.webrtc import needs_an_address
from tests.browser import launch_browser

EXAMPLE = ROOT / "clients" / "pipecat" / "examples" / "talking_face.py"
WAIT_MS = 90_000.0
FLAGS = (
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)
SHOWN = """
([x1, y1, x2, y2]) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 320 });
  const video = document.getElementById("face");
  canvas.getContext("2d").drawImage(video, x1, y1, x2 - x1, y2 - y1, -4, -4, 328, 328);
  return canvas.toDataURL("image/png");
}
"""
"""Returns the face that is shown, of a network's size, as a data URL."""

FACE = (129, 221, 387, 479)
"""Where the face is in the clip, about."""

LISTEN = """
() => {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(document.getElementById("face").srcObject).connect(analyser);
  window.loudest = 0;
  setInterval(() => {
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    window.loudest = Math.max(window.loudest, ...samples.map(Math.abs));
  }, 20);
}
"""
"""Keeps the loudest sample that is heard from then on, 0 to 1."""


@pytest.fixture
def page_url(bridge: Running) -> Iterator[str]:
    """The example, running; yields the address of its page."""
    environment = {**os.environ, "LIPSYNC_URL": bridge.url, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, str(EXAMPLE), "--transport", "webrtc", "--port", "0"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stderr is not None
        reader = threading.Thread(target=process.stderr.read)
        try:
            found = next(
                filter(None, (re.search(r"running on (http://\S+)", line) for line in process.stderr))
            )
            reader.start()
            yield f"{found[1]}/face"
        finally:
            process.kill()
            reader.join()


async def opening(page: Page) -> float:
    """Return how far the mouth that is shown is open."""
    png = base64.b64decode((await page.evaluate(SHOWN, FACE)).partition(",")[2])
    mouth = measure_mouth(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR))
    return mouth.opening if mouth else 0.0


@needs_an_address
@pytest.mark.timeout(240)
async def test_the_face_speaks_in_a_browser(page_url: str) -> None:
    """The video plays with sound, in the clip's size, and the lips move while the recording is heard."""
    async with launch_browser(*FLAGS) as browser:
        page = await browser.new_page()
        page.set_default_timeout(WAIT_MS)
        await page.goto(page_url)
        await page.click("#connect")
        await page.wait_for_function("document.getElementById('face').videoWidth === 512")
        await page.evaluate(LISTEN)
        await page.wait_for_function("window.loudest > 0.05")
        openings = [await opening(page)]
        async with asyncio.timeout(WAIT_MS / 1000):
            while max(openings) - min(openings) < 0.05:
                openings.append(await opening(page))
        played = await page.evaluate(
            "document.getElementById('face').getVideoPlaybackQuality().totalVideoFrames"
        )
    assert played > 25
