"""The page in a headless Chromium, served by a real bridge in front of a fake Triton."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import expect

from bridge.access.tokens import Key, sign
from bridge.config import BridgeConfig
from bridge.server import serve
from tests.browser import (
    WAIT_MS,
    count_pictures,
    figure,
    launch_browser,
    open_page,
    play_and_count,
    shown_frame,
)
from tests.fake_triton import BOUNDS, FakeTriton

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRAME_COUNT = 20
MIDDLE_ROW_AND_COLUMN = """
([x, y]) => {
  const { width, height } = document.getElementById("picture");
  const context = document.getElementById("picture").getContext("2d");
  const reds = (...rectangle) => [...context.getImageData(...rectangle).data].filter((_, i) => i % 4 === 0);
  return [reds(0, y, width, 1), reds(x, 0, 1, height)];
}
"""
"""The red values through a point of the canvas: of its row, and of its column."""

PLAYING = "true"
PAUSED = "false"


def grey_of(frame_id: int) -> int:
    """Return the colour of a frame, far enough from its neighbours' for a JPEG to keep them apart."""
    return 30 + 10 * frame_id


def grey_jpeg(model_name: str, frame_id: int) -> bytes:
    return encode_jpeg(np.full((64, 64, 3), grey_of(frame_id), np.uint8))


def white_source_jpeg(model_name: str, frame_id: int) -> bytes:
    return encode_jpeg(np.full((380, 360, 3), 255, np.uint8))


def encode_jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser():
    async with launch_browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def triton():
    async with FakeTriton(
        frame_count=FRAME_COUNT, models=("echo", "slow"), jpeg=grey_jpeg, picture=white_source_jpeg
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def bridge(triton):
    async with serve(config_for(triton)) as running:
        yield running


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def config_for(triton: FakeTriton, *, port: int = 0) -> BridgeConfig:
    return BridgeConfig(
        upstreams=(triton.address,), port=port, grpc_port=-1, probe_interval_s=0.05, metadata_ttl_s=0.0
    )


async def refresh_models(page):
    """Do what a user does who comes back to the page: it asks for the models at once."""
    await page.evaluate("() => { dispatchEvent(new Event('focus')); }")


async def expect_text(page, selector, text):
    await expect(page.locator(selector)).to_have_text(text, timeout=WAIT_MS)


@pytest.mark.parametrize(
    ("init_script", "decoder"),
    [("", "ImageDecoder"), ("delete globalThis.ImageDecoder", "createImageBitmap")],
    ids=["ImageDecoder", "createImageBitmap"],
)
async def test_playing_draws_each_frame_in_order(browser, bridge, init_script, decoder):
    """Play draws the decoded frames in ascending order, round and round, and counts those left out."""
    async with open_page(browser, bridge.url, init_script=init_script) as page:
        await shown_frame(page, 0)
        played = await play_and_count(page, 50)
        await expect(page.locator("#decoder")).to_have_attribute("data-value", decoder)

    first, *_ = ids = played.frame_ids
    steps = [(b - a) % FRAME_COUNT for a, b in itertools.pairwise(ids)]
    assert 0 not in steps
    assert first + sum(steps) == 49 + played.dropped
    np.testing.assert_allclose(played.reds, [grey_of(frame_id) for frame_id in ids], atol=4)


async def test_the_figures_tell_what_happened(browser, bridge):
    """After playing, shown frames, rate and latency are there as numbers."""
    async with open_page(browser, bridge.url) as page:
        await shown_frame(page, 0)
        await play_and_count(page, 30)
        assert await figure(page, "shown") >= 31
        assert 0 < await figure(page, "fps") <= 60
        assert 0 < await figure(page, "latency") < 1000


async def test_a_frame_that_comes_too_late_is_dropped(browser, triton, bridge):
    """Frames whose time passed before their answers came are counted, and playing goes on after them."""
    async with open_page(browser, bridge.url) as page:
        await page.select_option("#model", "slow")
        await page.fill("#rate", "60")
        await page.click("#play")
        await expect(page.locator("#chart")).to_have_attribute("aria-label", re.compile("Now 0 frames"))
        await triton.wait_for_calls("slow", 2)
        triton.release.set()
        await expect(page.locator("#dropped")).not_to_have_attribute("data-value", "0", timeout=WAIT_MS)
        assert await figure(page, "shown") > 0


async def test_controls_move_by_single_frames(browser, bridge):
    """Buttons and arrow keys step by one, wrapping at both ends; number field and slider jump."""
    async with open_page(browser, bridge.url) as page:
        await shown_frame(page, 0)
        await page.click("#next")
        await shown_frame(page, 1)
        await page.click("#previous")
        await shown_frame(page, 0)
        await page.click("#previous")
        await shown_frame(page, FRAME_COUNT - 1)
        await page.keyboard.press("ArrowRight")
        await shown_frame(page, 0)
        await page.fill("#frame", "7")
        await shown_frame(page, 7)
        await page.fill("#slider", "12")
        await shown_frame(page, 12)


async def test_the_space_bar_plays_and_pauses(browser, bridge):
    """Space starts playing and stops it again."""
    async with open_page(browser, bridge.url) as page:
        await shown_frame(page, 0)
        await page.keyboard.press(" ")
        await count_pictures(page, 5)
        await expect(page.locator("#play")).to_have_attribute("data-playing", PLAYING)
        await page.keyboard.press(" ")
        await expect(page.locator("#play")).to_have_attribute("data-playing", PAUSED)


async def test_playing_resumes_when_the_bridge_comes_back(browser, triton):
    """While the bridge is away the page says so and when it tries again; then it plays on by itself."""
    async with contextlib.AsyncExitStack() as stack:
        async with serve(config_for(triton)) as bridge:
            page = await stack.enter_async_context(open_page(browser, bridge.url))
            await shown_frame(page, 0)
            await page.click("#play")
            await count_pictures(page, 5)
        away = rf"The bridge at 127\.0\.0\.1:{bridge.port} does not answer; trying again in \d s"
        await expect_text(page, "#status", re.compile(away))
        await expect_text(page, "#link", "Reconnecting")
        async with serve(config_for(triton, port=bridge.port)):
            await expect_text(page, "#status", "Playing echo")
            await expect_text(page, "#link", "Connected")
            await count_pictures(page, 5)
            await stack.aclose()


async def test_an_error_of_the_bridge_is_told(browser, triton, bridge):
    """The code and the text of an error message appear in the status line."""
    triton.add_model("broken")
    async with open_page(browser, bridge.url) as page:
        await page.select_option("#model", "broken")
        await expect_text(page, "#status", re.compile("^internal: "))


async def test_a_picture_that_failed_comes_later(browser, triton, bridge):
    """While no Triton is ready the page says so; once one is, the missing picture appears by itself."""
    async with open_page(browser, bridge.url) as page:
        await shown_frame(page, 0)
        await triton.kill()
        await page.click("#next")
        await expect_text(page, "#status", re.compile("^unavailable: "))
        await triton.start()
        await shown_frame(page, 1)


async def test_an_unloaded_model_is_waited_for(browser, triton, bridge):
    """A model that is unloaded while it plays is named in the status line, and plays on once it is back."""
    async with open_page(browser, bridge.url) as page:
        await shown_frame(page, 0)
        await page.click("#play")
        await count_pictures(page, 5)
        triton.unload_model("echo")
        await expect_text(page, "#status", re.compile("echo is not loaded any more"))
        await expect_text(page, "#model option:checked", "echo (not loaded)")
        triton.add_model("echo")
        await refresh_models(page)
        await expect_text(page, "#status", "Playing echo")
        await count_pictures(page, 5)


async def test_a_new_model_appears(browser, triton, bridge):
    """A model loaded later joins the list without a reload, and can be chosen."""
    async with open_page(browser, bridge.url) as page:
        await shown_frame(page, 0)
        triton.add_model("added")
        await refresh_models(page)
        await page.select_option("#model", "added")
        await triton.wait_for_calls("added", 1)


async def test_without_a_model_the_page_tells_how_to_import_one(browser):
    """With no avatar loaded the page shows the command that imports one, and nothing can be played."""
    async with (
        FakeTriton(models=()) as triton,
        serve(config_for(triton)) as bridge,
        open_page(browser, bridge.url) as page,
    ):
        await expect_text(page, "#empty code", "python -m export avatar --help")
        await expect(page.locator("#empty")).to_be_visible()
        await expect(page.locator("#play")).to_be_disabled()


async def test_the_page_opens_on_the_whole_picture(browser, bridge):
    """Without a click the canvas shows the full frame, and with one the crop alone."""
    async with open_page(browser, bridge.url) as page:
        await expect(page.locator("#picture")).to_have_attribute("width", "360", timeout=WAIT_MS)
        await page.uncheck("#whole")
        await expect(page.locator("#picture")).to_have_attribute("width", "64", timeout=WAIT_MS)


async def test_the_whole_picture_has_the_crop_in_its_place(browser, bridge):
    """The crop lies in its bounds less the border that is not answered, and fades in from its edges: no seam."""
    async with open_page(browser, bridge.url) as page:
        await shown_frame(page, 0)
        middle = [sum(BOUNDS[::2]) // 2, sum(BOUNDS[1::2]) // 2]
        reds = await page.evaluate(MIDDLE_ROW_AND_COLUMN, middle)
    for line, (start, end) in zip(reds, (BOUNDS[::2], BOUNDS[1::2]), strict=True):
        border = (end - start) * 4 / 328
        side = end - start - 2 * border
        first, last = round(start + border), round(end - border)
        edge, fade = int(side / 64), int(side / 12) + 2
        np.testing.assert_allclose([line[first + edge - 2], line[last - edge + 2]], 255, atol=4)
        np.testing.assert_allclose(line[first + edge + fade : last - edge - fade], grey_of(0), atol=4)
        np.testing.assert_array_less(np.abs(np.diff(line[first:last])), 20)


async def test_the_download_is_the_jpeg_as_received(browser, bridge):
    """The download button saves the bytes of the shown frame, named after model and frame."""
    async with open_page(browser, bridge.url) as page:
        await shown_frame(page, 0)
        await page.click("#next")
        await shown_frame(page, 1)
        async with page.expect_download() as download:
            await page.click("#download")
        saved = await download.value
        assert saved.suggested_filename == "echo_000001.jpg"
        assert content_of(await saved.path()) == grey_jpeg("echo", 1)


@pytest.mark.parametrize("width", [360, 390])
async def test_a_phone_needs_no_horizontal_scroll(browser, bridge, width):
    """At phone width the page fits the screen, and what is touched is at least 44 pixels high."""
    options = {"viewport": {"width": width, "height": 800}, "is_mobile": True, "has_touch": True}
    async with open_page(browser, bridge.url, **options) as page:
        await shown_frame(page, 0)
        assert await page.evaluate("() => document.documentElement.scrollWidth") == width
        for control in await page.locator(":is(button, select, input:not([role]), .switch):visible").all():
            assert (await control.bounding_box())["height"] >= 44


async def test_a_healthy_page_logs_nothing(browser, bridge):
    """Loading, playing and stepping leave the browser's console empty."""
    messages = []
    async with open_page(browser, bridge.url) as page:
        page.on("console", lambda message: messages.append(message.text))
        await page.reload()
        await shown_frame(page, 0)
        await play_and_count(page, 10)
        await page.click("#next")
        await refresh_models(page)
    assert messages == []


async def test_the_request_has_the_documented_bytes(browser, bridge):
    """A request is the name's length, the name in UTF-8 and the frame id as 4 little-endian bytes."""
    encode = "async ([name, id]) => [...(await import('/protocol.js')).encodeFrameRequest(name, id)]"
    async with open_page(browser, bridge.url) as page:
        assert bytes(await page.evaluate(encode, ["demo", 0x01020304])) == b"\x04demo\x04\x03\x02\x01"
        assert bytes(await page.evaluate(encode, ["zoë", 1])) == b"\x04zo\xc3\xab\x01\x00\x00\x00"
        too_long = "model name: expected 1 to 255 bytes, got 256"
        with pytest.raises(Exception, match=too_long):
            await page.evaluate(encode, ["x" * 256, 0])


async def test_the_page_says_that_its_pictures_are_synthetic(browser, bridge):
    """Generated pictures are labelled as such, on the picture itself."""
    async with open_page(browser, bridge.url) as page:
        await expect(page.locator("#stage .synthetic")).to_be_visible()
        await expect_text(page, "#stage .synthetic", "AI-generated picture")


async def test_a_token(browser, triton, tmp_path):
    """The page takes its token out of its address, shows it with everything it asks for, and keeps it on reloading."""
    (tmp_path / "tokens").write_text(f"site {'s' * 32}\n")
    config = dataclasses.replace(config_for(triton), tokens_file=str(tmp_path / "tokens"))
    token = sign(Key("site", "s" * 32), time.time() + 300)
    async with serve(config) as bridge, open_page(browser, f"{bridge.url}#token={token}") as page:
        await shown_frame(page, 0)
        assert page.url == bridge.url
        await page.reload()
        await shown_frame(page, 0)
        await page.goto(f"{bridge.url}?token={token}#speak")
        await expect(page.locator("#speak-tab")).to_be_visible()
        assert page.url == f"{bridge.url}#speak"


async def test_without_a_token(browser, triton, tmp_path):
    """Without its token the page says what is missing."""
    (tmp_path / "tokens").write_text(f"site {'s' * 32}\n")
    config = dataclasses.replace(config_for(triton), tokens_file=str(tmp_path / "tokens"))
    async with serve(config) as bridge:
        page = await browser.new_page()
        await page.goto(bridge.url)
        await expect(page.locator("body")).to_contain_text(
            "token: expected one that the bridge knows, got none", timeout=WAIT_MS
        )
        await page.close()


async def test_what_the_page_may_load(browser, bridge):
    """The browser lets the page ask nobody but the bridge, and a test whose page tries fails."""
    refused = None
    with pytest.raises(AssertionError):
        async with open_page(browser, bridge.url) as page:
            refused = await page.evaluate(
                """() => new Promise((resolve) => {
                  addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
                  new Image().src = "http://example.org/";
                })"""
            )
    assert refused == "img-src"
