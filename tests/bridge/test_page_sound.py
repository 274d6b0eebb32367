"""What a viewer of the page hears, tapped in a headless Chromium where it goes to the loudspeaker."""

from __future__ import annotations

import re

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import expect

from bridge.server import serve
from tests.bridge.test_page import FRAME_COUNT, config_for, grey_jpeg, white_source_jpeg
from tests.browser import WAIT_MS, count_pictures, launch_browser, open_page, shown_frame
from tests.fake_triton import FakeTriton

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEVEL_STEP = 1000
"""Frame i sounds as a constant (i + 1) times this: so any sample tells its frame."""

TAP = """
const connect = AudioNode.prototype.connect;
globalThis.starts = [];
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode) {
    globalThis.tap = new AnalyserNode(this.context, { fftSize: 32 });
    connect.call(this, tap);
  }
  return connect.call(this, target, ...rest);
};
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (whenS, offsetS) {
  starts.push({ whenS, offsetS });
  return start.call(this, whenS, offsetS);
};
const stop = AudioBufferSourceNode.prototype.stop;
globalThis.stops = 0;
AudioBufferSourceNode.prototype.stop = function () {
  stops += 1;
  return stop.call(this);
};
globalThis.level = () => {
  const samples = new Float32Array(32);
  tap.getFloatTimeDomainData(samples);
  return samples[31] * 32768;
};
"""

PLAY_AND_LISTEN = """
(count) => new Promise((resolve) => {
  const canvas = document.getElementById("picture");
  const seen = [];
  const observer = new MutationObserver(() => {
    if (starts.length === 0) return;
    const { contextTime, performanceTime } = tap.context.getOutputTimestamp();
    const heardS = contextTime + (performance.now() - performanceTime) / 1000;
    const { whenS, offsetS } = starts.at(-1);
    const frames = (timeS) => (offsetS + timeS - whenS) / 0.04;
    seen.push([Number(canvas.dataset.frame), frames(heardS), frames(tap.context.currentTime), level()]);
    if (seen.length < count) return;
    observer.disconnect();
    resolve(seen);
  });
  observer.observe(canvas, { attributeFilter: ["data-frame"] });
  document.getElementById("play").click();
})
"""

HEARD = "() => globalThis.tap && level() > 500"
SILENT = "() => level() === 0"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser():
    async with launch_browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def triton():
    models = ("echo", "silent", "slow")
    async with FakeTriton(
        frame_count=FRAME_COUNT,
        models=models,
        jpeg=grey_jpeg,
        picture=white_source_jpeg,
        sound=lambda frame_id: np.full(640, LEVEL_STEP * (frame_id + 1)),
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser, triton):
    async with (
        serve(config_for(triton)) as bridge,
        open_page(browser, bridge.url, init_script=TAP) as page,
    ):
        await shown_frame(page, 0)
        await expect(page.locator("#sound")).to_be_enabled(timeout=WAIT_MS)
        yield page


def ring_distance(a, b):
    """How many frames apart two positions in the looped clip are."""
    return abs((np.subtract(a, b) + FRAME_COUNT / 2) % FRAME_COUNT - FRAME_COUNT / 2)


async def test_pictures_follow_the_sound(page):
    """Round after round, the frame on the screen is the one that is heard, give or take one."""
    seen = np.array(await page.evaluate(PLAY_AND_LISTEN, 3 * FRAME_COUNT))
    shown, heard, computed, level = seen.T
    assert ring_distance(shown, np.floor(heard)).max() <= 1
    running = level > 0  # the first samples may not have come yet
    assert running.sum() > 2 * FRAME_COUNT
    assert ring_distance(computed[running], level[running] / LEVEL_STEP - 0.5).max() <= 1.5
    assert await page.evaluate("() => starts.length") == 1


async def test_sound_is_heard_at_the_avatars_own_rate(page):
    """At another rate it is silent, and the page says so; back at the own one it is heard again."""
    await page.click("#play")
    await page.wait_for_function(HEARD)
    await page.fill("#rate", "30")
    await expect(page.locator("#rate-text")).to_have_text("30 fps, without sound")
    await page.wait_for_function(SILENT)
    await count_pictures(page, 5)
    await page.fill("#rate", "25")
    await expect(page.locator("#rate-text")).to_have_text("25 fps")
    await page.wait_for_function(HEARD)


@pytest.mark.parametrize("control", ["#play", "#next", "#previous"])
async def test_a_still_picture_is_silent(page, control):
    """Pausing and stepping end the sound."""
    await page.click("#play")
    await page.wait_for_function(HEARD)
    await page.click(control)
    await page.wait_for_function(SILENT)


async def test_the_speaker_button_mutes(page):
    """The button and the key M mute and unmute, and say which they will do next; the pictures go on."""
    speaker = page.locator("#sound")
    await expect(speaker).to_have_attribute("aria-label", "Mute")
    await page.click("#play")
    await page.wait_for_function(HEARD)
    await page.click("#sound")
    await expect(speaker).to_have_attribute("aria-label", "Unmute")
    await page.wait_for_function(SILENT)
    await count_pictures(page, 5)
    await page.keyboard.press("m")
    await expect(speaker).to_have_attribute("aria-label", "Mute")
    await page.wait_for_function(HEARD)


async def test_an_avatar_without_sound(page):
    """An avatar whose clip is silent plays on, and its speaker button says why it cannot be pressed."""
    await page.select_option("#model", "silent")
    await page.click("#play")
    await count_pictures(page, 5)
    await expect(page.locator("#sound")).to_be_disabled()
    await expect(page.locator("#sound")).to_have_attribute("title", "This avatar has no sound")
    assert await page.evaluate("() => starts.length") == 0


async def test_sound_waits_for_a_server_that_falls_behind(page, triton):
    """Where no pictures come the sound stops soon, and joins them again when they do."""
    await page.select_option("#model", "slow")
    await expect(page.locator("#sound")).to_be_enabled(timeout=WAIT_MS)
    await page.click("#play")
    await page.wait_for_function("() => starts.length === 1 && stops === 1")
    triton.release.set()
    await page.wait_for_function("() => starts.length === 2")
    await page.wait_for_function(HEARD)


async def test_sound_ends_with_the_connection(browser, triton):
    """When the bridge goes away the face stands still, in silence."""
    async with serve(config_for(triton)) as bridge:
        opened = open_page(browser, bridge.url, init_script=TAP)
        page = await opened.__aenter__()
        await expect(page.locator("#sound")).to_be_enabled(timeout=WAIT_MS)
        await page.click("#play")
        await page.wait_for_function(HEARD)
    await expect(page.locator("#status")).to_have_text(re.compile("does not answer"), timeout=WAIT_MS)
    await page.wait_for_function(SILENT)
    await opened.__aexit__(None, None, None)
