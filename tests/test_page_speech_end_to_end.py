"""The page's tab for live speech on real parts: Chromium, the bridge, Triton and the demo's networks."""

from __future__ import annotations

import bridge.server
from bridge.config import BridgeConfig
from embedded import Server
from tests.browser import WAIT_MS, launch_browser, open_page

STATS = "() => lipsyncSpeech.stats()"


async def test_a_face_says_its_sample(triton: Server) -> None:
    """Pressing a sample lets the whole face speak with its sound; pressing Interrupt ends it."""
    # a busy machine paints slowly: what counts here is that all parts fit together
    config = BridgeConfig(upstreams=(triton.grpc_url,), port=0, grpc_port=-1, speech_timeout_s=20.0)
    async with (
        bridge.server.serve(config) as running,
        launch_browser() as browser,
        open_page(browser, f"{running.url}#speak") as page,
    ):
        page.set_default_timeout(3 * WAIT_MS)
        await page.wait_for_function("() => lipsyncSpeech.stats().started")
        await page.click("#speech-samples button:last-child")
        await page.wait_for_function("() => lipsyncSpeech.stats().spoken >= 5")
        stats = await page.evaluate(STATS)
        spoken = [picture for picture in stats["history"] if picture["isSpeech"]]
        assert stats["soundStarts"] >= 1
        assert [picture["sample"] for picture in spoken] == sorted(picture["sample"] for picture in spoken)
        assert int(await page.get_attribute("#speech-picture", "width") or 0) > 320
        await page.click("#speech-interrupt")
        await page.wait_for_function("() => lipsyncSpeech.stats().history.at(-1).epoch === 1")
