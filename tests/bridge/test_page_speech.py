"""The page's tab for live speech in a headless Chromium, in front of a stand-in that speaks the protocol."""

from __future__ import annotations

import itertools
import re
import wave

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import expect

from bridge.live.wire import Flags, Packet
from tests.bridge.speech_bridge import FPS, LOOK_AHEAD_S, SILENT_GREY, SPOKEN_GREY, SpeechBridge, tone
from tests.browser import WAIT_MS, launch_browser, open_page

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPEECH_S = 2.0
LONG_S = 12.0
STATS = "() => lipsyncSpeech.stats()"
SILENT = "() => !lipsyncSpeech.stats().isSpeaking && !lipsyncSpeech.stats().isSounding"
PEAK = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode) {
    globalThis.tap ??= new AnalyserNode(this.context, { fftSize: 2048 });
    connect.call(this, tap);
  }
  return connect.call(this, target, ...rest);
};
globalThis.peak = () => {
  if (!globalThis.tap) return 0;
  const samples = new Float32Array(2048);
  tap.getFloatTimeDomainData(samples);
  return Math.max(...samples.map(Math.abs));
};
"""
DENIED = """
navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("denied", "NotAllowedError"));
"""


@pytest.fixture(scope="module")
def microphone_path(tmp_path_factory):
    """What the browser's microphone hears."""
    path = tmp_path_factory.mktemp("sound") / "microphone.wav"
    write(path, tone(10.0, 48_000), 48_000)
    return path


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser(microphone_path):
    async with launch_browser(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone_path}",
        "--host-resolver-rules=MAP lipsync.test 127.0.0.1",
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def bridge():
    async with SpeechBridge("echo", "gaps", "stalls", "rude", "loses", "full", "deaf") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser, bridge):
    async with open_page(browser, bridge.url, init_script=PEAK) as page:
        await shows(page, 3)
        yield page


def write(path, samples, rate):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


async def shows(page, count, what="shown"):
    """Return once the page has shown so many pictures, or `spoken` ones."""
    await page.wait_for_function("([what, count]) => lipsyncSpeech.stats()[what] >= count", arg=[what, count])


async def choose_avatar(page, bridge, name):
    await page.select_option("#speech-avatar", name)
    await page.wait_for_function("(name) => lipsyncSpeech.stats().started?.avatar === name", arg=name)
    await page.wait_for_function("() => lipsyncSpeech.stats().waiting > 0")


async def say_file(page, tmp_path, length_s=SPEECH_S):
    """Choose a sound file, and return its samples, at the session's rate."""
    rate = (await page.evaluate(STATS))["started"]["sample_rate"]
    samples = tone(length_s, rate)
    write(tmp_path / "tone.wav", samples, rate)
    await page.click("#speech-status")  # browsers let only those be heard that were touched
    await page.set_input_files("#speech-file", tmp_path / "tone.wav")
    return samples


async def says(page, selector, text):
    await expect(page.locator(selector)).to_have_text(text, timeout=WAIT_MS)


def spoken(stats):
    return [picture for picture in stats["history"] if picture["isSpeech"]]


async def middle_of(page):
    """Return the grey in the middle of the picture on the screen."""
    return await page.evaluate(
        """() => {
          const canvas = document.getElementById("speech-picture");
          return canvas.getContext("2d").getImageData(80, 70, 1, 1).data[0];
        }"""
    )


async def test_the_face_lives_while_nothing_is_said(page, bridge):
    """Silent pictures follow each other without end, in their full frames, of which each is fetched once."""
    await shows(page, 45)
    stats = await page.evaluate(STATS)
    numbers = [picture["number"] for picture in stats["history"]]
    assert all(b > a for a, b in itertools.pairwise(numbers))
    assert not any(picture["isSpeech"] for picture in stats["history"])
    assert len(bridge.frame_requests) == len(set(bridge.frame_requests)) == 20
    assert await middle_of(page) == pytest.approx(SILENT_GREY, abs=4)
    await says(page, "#speech-state", "Idle")


async def test_a_file_makes_the_face_speak(page, bridge, tmp_path):
    """The bridge gets the file's samples; the pictures come in order, each while its sample is heard."""
    samples = await say_file(page, tmp_path)
    await says(page, "#speech-state", "Speaking")
    await shows(page, 10, "spoken")
    assert await middle_of(page) == pytest.approx(SPOKEN_GREY, abs=4)
    await page.wait_for_function("() => peak() > 0.1")
    await page.wait_for_function(SILENT)
    stats = await page.evaluate(STATS)

    np.testing.assert_allclose(np.frombuffer(bridge.sessions[-1].pcm, np.int16), samples, atol=1)
    assert bridge.sessions[-1].controls == ["end"]
    shown = spoken(stats)
    assert len(shown) + stats["skipped"] == SPEECH_S * FPS
    assert len(shown) > 0.3 * SPEECH_S * FPS  # a busy machine repaints seldom
    assert shown[0]["isFirst"]
    spf = stats["started"]["samples_per_frame"]
    heard = [p["heardSample"] - p["sample"] for p in shown if p["heardSample"] is not None]
    frames_off = np.array(heard) / spf
    assert len(frames_off) > 0.2 * SPEECH_S * FPS
    assert frames_off.min() > -0.3
    assert np.median(frames_off) < 1.5
    latency = float(await page.get_attribute("#speech-latency", "data-value"))
    assert 100 < latency < 5000


async def test_interrupting_is_at_once(page, bridge, tmp_path):
    """After the button nothing is heard, and no picture of what was said is shown, though some still come."""
    await choose_avatar(page, bridge, "rude")
    await say_file(page, tmp_path, length_s=LONG_S)
    await shows(page, 10, "spoken")
    await page.click("#speech-interrupt")
    at_once = await page.evaluate(STATS)
    assert not at_once["isSounding"]
    assert not at_once["isSpeaking"]
    assert at_once["epoch"] == 1
    await page.wait_for_function("() => lipsyncSpeech.stats().history.at(-1).epoch === 1")
    await page.wait_for_function("() => peak() === 0")
    await shows(page, at_once["shown"] + 10)
    stats = await page.evaluate(STATS)
    assert stats["spoken"] == at_once["spoken"]
    assert bridge.sessions[-1].controls[-1] == "interrupt"
    assert stats["sentSamples"] < LONG_S * stats["started"]["sample_rate"]
    await says(page, "#speech-state", "Idle")


async def test_escape_interrupts_and_what_comes_next_is_said(page, bridge, tmp_path):
    """The key does what the button does, and the next file begins at the session's next sample."""
    await say_file(page, tmp_path, length_s=LONG_S)
    await shows(page, 10, "spoken")
    await page.keyboard.press("Escape")
    first = (await page.evaluate(STATS))["sentSamples"]
    await say_file(page, tmp_path, length_s=1.0)
    await page.wait_for_function("() => lipsyncSpeech.stats().history.at(-1).epoch === 1")
    await page.wait_for_function("() => lipsyncSpeech.stats().history.at(-1).isSpeech")
    await page.wait_for_function(SILENT)
    later = [p for p in spoken(await page.evaluate(STATS)) if p["epoch"] == 1]
    assert min(p["sample"] for p in later) >= first
    assert bridge.sessions[-1].controls == ["interrupt", "end"]


async def test_a_new_file_takes_the_place_of_the_old_one(page, bridge, tmp_path):
    """Choosing another file interrupts the one that is said."""
    await say_file(page, tmp_path, length_s=LONG_S)
    await shows(page, 10, "spoken")
    await say_file(page, tmp_path, length_s=1.0)
    await bridge.wait_until(lambda: bridge.sessions[-1].controls == ["interrupt", "end"])


async def test_pictures_that_are_left_out_are_counted(page, bridge, tmp_path):
    """Five pictures that never come are told as skipped, and the sound goes on over them."""
    await choose_avatar(page, bridge, "gaps")
    await say_file(page, tmp_path)
    await shows(page, 20, "spoken")
    await page.wait_for_function(SILENT)
    stats = await page.evaluate(STATS)
    assert stats["skipped"] >= 5
    assert len(spoken(stats)) + stats["skipped"] == SPEECH_S * FPS
    assert await page.get_attribute("#speech-skipped", "data-value") == str(stats["skipped"])


async def test_sound_waits_for_pictures_that_do_not_come(page, bridge, tmp_path):
    """Where the pictures end in mid-speech the sound soon does, too; then both go on from the same sample."""
    await choose_avatar(page, bridge, "stalls")
    await say_file(page, tmp_path)
    await page.wait_for_function("() => lipsyncSpeech.stats().pauses === 1")
    assert not (await page.evaluate(STATS))["isSounding"]
    bridge.release.set()
    await page.wait_for_function("() => lipsyncSpeech.stats().soundStarts === 2")
    await page.wait_for_function(SILENT)
    stats = await page.evaluate(STATS)
    late = [p for p in spoken(stats) if p["number"] > spoken(stats)[0]["number"] + 25]
    offsets = [
        (p["heardSample"] - p["sample"]) / stats["started"]["samples_per_frame"]
        for p in late
        if p["heardSample"]
    ]
    assert len(offsets) > 5
    assert min(offsets) > -0.3
    assert np.median(offsets) < 1.5


async def test_a_file_is_sent_whatever_becomes_of_its_pictures(page, bridge, tmp_path):
    """Where no picture comes any more the sound goes on at its own pace, to its end."""
    await choose_avatar(page, bridge, "loses")
    samples = await say_file(page, tmp_path, length_s=5.0)
    await bridge.wait_until(lambda: bridge.sessions[-1].controls == ["end"])
    assert len(bridge.sessions[-1].pcm) == 2 * len(samples)


async def test_the_microphone_is_heard_by_the_bridge_only(page, bridge):
    """Its sound goes out while the user hears nothing; the lips follow after what they look ahead; Stop ends it."""
    await page.click("#speech-listen")
    await shows(page, 15, "spoken")
    await says(page, "#speech-state", "Listening")
    assert await page.evaluate("() => peak()") == 0
    latency = float(await page.get_attribute("#speech-latency", "data-value"))
    assert LOOK_AHEAD_S * 1000 < latency < 5000
    await page.click("#speech-listen")
    await bridge.wait_until(lambda: bridge.sessions[-1].controls == ["end"])
    await page.wait_for_function(SILENT)
    stats = await page.evaluate(STATS)
    pcm = np.frombuffer(bridge.sessions[-1].pcm, np.int16)
    assert len(pcm) == stats["sentSamples"]
    assert np.abs(pcm.astype(int)).max() > 1000
    assert stats["soundStarts"] == 0
    await says(page, "#speech-listen-text", "Speak")


async def test_leaving_the_tab_lets_the_microphone_go(page, bridge):
    """The clip's tab ends microphone and session; coming back begins another session, in silence."""
    tracks = "() => globalThis.stream.getTracks().map(({ readyState }) => readyState)"
    await page.evaluate(
        """() => {
          const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          navigator.mediaDevices.getUserMedia = async (wanted) => (globalThis.stream = await open(wanted));
        }"""
    )
    await page.click("#speech-listen")
    await shows(page, 5, "spoken")
    await page.click("text=Clip")
    assert await page.evaluate(tracks) == ["ended"]
    assert await page.evaluate("() => lipsyncSpeech.stats().started") is None
    await expect(page.locator("#play")).to_be_visible()
    await expect(page.locator("#speech-listen")).to_be_hidden()
    await page.click("nav >> text=Speak")
    await bridge.wait_until(lambda: len(bridge.sessions) == 2)
    await says(page, "#speech-state", "Idle")
    assert bridge.sessions[-1].pcm == b""


async def test_the_sooner_answer_is_asked_for(page, bridge):
    """The switch begins a session that looks less far ahead."""
    await page.check("#speech-low-latency")
    await bridge.wait_until(lambda: len(bridge.sessions) == 2 and bridge.sessions[-1].start != {})
    assert [session.start["low_latency"] for session in bridge.sessions] == [False, True]


async def test_a_sample_is_said(page, bridge):
    """What an avatar says in its clip is there at the press of a button."""
    await page.click("#speech-samples button")
    await shows(page, 10, "spoken")
    rate = bridge.sessions[-1].start["sample_rate"]
    await bridge.wait_until(lambda: bridge.sessions[-1].controls == ["end"])
    assert len(bridge.sessions[-1].pcm) / 2 == pytest.approx(2.0 * rate, abs=2)


@pytest.mark.parametrize(
    ("avatar", "sentence"),
    [
        ("full", r"The machine has no room for one more talking face; trying again in \d s"),
        (
            "deaf",
            "deaf cannot be spoken to, for it was imported without an audio encoder: choose another avatar",
        ),
    ],
)
async def test_a_refusal_is_told(page, avatar, sentence):
    """A session that is refused is one sentence that says what to do; the face of another one is still to be had."""
    await page.select_option("#speech-avatar", avatar)
    await says(page, "#speech-status", re.compile(sentence))
    await says(page, "#speech-state", "Away")
    await page.select_option("#speech-avatar", "echo")
    await says(page, "#speech-state", "Idle")
    await expect(page.locator("#speech-status")).to_have_attribute("data-level", "info")


async def test_a_file_that_is_no_sound_is_told(page, tmp_path):
    """The file's name, and that it cannot be decoded."""
    (tmp_path / "notes.txt").write_text("no sound")
    await page.set_input_files("#speech-file", tmp_path / "notes.txt")
    await says(
        page, "#speech-status", "Expected a sound file, got notes.txt, which this browser cannot decode"
    )


async def test_a_denied_microphone_is_told(browser, bridge):
    """The sentence says where it is allowed."""
    async with open_page(browser, bridge.url, init_script=DENIED) as page:
        await shows(page, 3)
        await page.click("#speech-listen")
        await says(page, "#speech-status", re.compile("^The microphone is denied: allow it for this page"))
        await says(page, "#speech-state", "Idle")


async def test_an_insecure_page_says_how_to_get_a_microphone(browser, bridge):
    """From another host without HTTPS there is no microphone: the sentence names a way, and the face lives on."""
    async with open_page(browser, bridge.url.replace("127.0.0.1", "lipsync.test")) as page:
        await shows(page, 3)
        await page.click("#speech-listen")
        port = bridge.port
        await says(page, "#speech-status", re.compile(rf"ssh -L {port}:localhost:{port} lipsync\.test"))


async def test_the_face_returns_with_the_bridge(browser):
    """While the bridge is away the page says so and tries again; then a new session begins by itself."""
    async with SpeechBridge("echo") as bridge:
        opened = open_page(browser, bridge.url)
        page = await opened.__aenter__()
        await shows(page, 3)
    await says(
        page, "#speech-status", re.compile(r"^The bridge at .* does not answer; trying again in \d s$")
    )
    await says(page, "#speech-state", "Away")
    async with SpeechBridge("echo", port=bridge.port) as again:
        await again.wait_until(lambda: len(again.sessions) == 1)
        await says(page, "#speech-state", "Idle")
        await opened.__aexit__(None, None, None)


@pytest.mark.parametrize("width", [360, 390])
async def test_a_phone_needs_no_horizontal_scroll(browser, bridge, width):
    """At phone width the tab fits the screen, and what is touched is at least 44 pixels high."""
    options = {"viewport": {"width": width, "height": 800}, "is_mobile": True, "has_touch": True}
    async with open_page(browser, bridge.url, **options) as page:
        await shows(page, 3)
        await expect(page.locator("#speech-samples button").first).to_be_visible()
        assert await page.evaluate("() => document.documentElement.scrollWidth") == width
        for control in await page.locator(":is(button, select, .choose, .switch, .tabs a):visible").all():
            assert (await control.bounding_box())["height"] >= 44


async def test_keys_reach_everything(page):
    """Tab goes through links and controls in the order of the page; the clip's keys do nothing here."""
    await page.focus(".tabs a")
    seen = []
    for _ in range(4):
        await page.keyboard.press("Tab")
        seen.append(await page.evaluate("() => document.activeElement.id || document.activeElement.hash"))
    assert seen == ["#speak", "speech-listen", "speech-file", "speech-avatar"]
    await page.locator(":focus").blur()
    await page.keyboard.press(" ")
    assert await page.get_attribute("#play", "data-playing") == "false"


async def test_a_healthy_tab_logs_nothing(browser, bridge, tmp_path):
    """Living and speaking leave the browser's console empty."""
    messages = []
    async with open_page(browser, bridge.url) as page:
        page.on("console", lambda message: messages.append(message.text))
        await page.reload()
        await shows(page, 3)
        await say_file(page, tmp_path, length_s=0.6)
        await shows(page, 3, "spoken")
        await page.wait_for_function(SILENT)
    assert messages == []


async def test_a_picture_is_read_as_it_is_written(page):
    """The header's fields are those that the bridge packs, the sample's upper half included."""
    packet = Packet(Flags.SPEECH | Flags.LAST, 3, 70_000, 12, 2**33 + 5, (-1, 2, 300, 400), 4, b"jpeg")
    parsed = await page.evaluate(
        """async (bytes) => {
          const { parsePicture } = await import("/speech_protocol.js");
          const picture = parsePicture(new Uint8Array(bytes).buffer);
          return { ...picture, jpeg: [...picture.jpeg] };
        }""",
        list(packet.encode()),
    )
    assert parsed == {
        "isSpeech": True, "isFirst": False, "isLast": True, "isSilent": False, "epoch": 3, "number": 70_000,
        "frameId": 12, "sample": 2**33 + 5, "bounds": [-1, 2, 300, 400], "border": 4, "jpeg": list(b"jpeg"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x01\x01", "picture: expected a header of 48 bytes, got 2"),
        (b"\x02\x01" + bytes(46), "picture: expected version 1, got 2"),
    ],
)
async def test_a_picture_of_another_kind_is_refused(page, content, message):
    """Too few bytes and another version are errors that say so."""
    parse = (
        "async (bytes) => (await import('/speech_protocol.js')).parsePicture(new Uint8Array(bytes).buffer)"
    )
    with pytest.raises(Exception, match=message):
        await page.evaluate(parse, list(content))


async def test_the_picture_has_its_place_in_the_full_frame(page):
    """The crop with its border is scaled to the bounds, and the picture lies inside the border."""
    place = (
        "async () => (await import('/patch.js')).placeOf([30, 20, 130, 120], 5, { width: 40, height: 40 })"
    )
    assert await page.evaluate(place) == [40, 30, 80, 80]
    reds = await page.evaluate(
        """() => {
          const context = document.getElementById("speech-picture").getContext("2d");
          return [35, 80, 125].map((x) => context.getImageData(x, 70, 1, 1).data[0]);
        }"""
    )
    np.testing.assert_allclose(reds, [255, SILENT_GREY, 255], atol=4)


async def test_frames_are_wanted_forth_and_back(page):
    """What follows a frame turns round at both ends of the clip; a clip of one frame has nothing that follows."""
    after = "async (args) => (await import('/full_frames.js')).framesAfter(...args)"
    assert await page.evaluate(after, [2, 1, 4, 5]) == [3, 2, 1, 0, 1]
    assert await page.evaluate(after, [1, -1, 4, 3]) == [0, 1, 2]
    assert await page.evaluate(after, [0, 1, 1, 3]) == []


async def test_a_recording_is_cut_at_its_pauses(page):
    """A pause of half a second parts two phrases; one that comes before 1.2 s does not."""
    phrases = await page.evaluate(
        """async () => {
          const { phrasesOf } = await import("/phrases.js");
          const rate = 1000;
          const loud = (fromS, toS) => (i) => i >= fromS * rate && i < toS * rate;
          const parts = [loud(0.5, 1), loud(1.5, 3), loud(3.5, 6)];
          const samples = Float32Array.from({ length: 6500 }, (_, i) => (parts.some((isLoud) => isLoud(i)) ? 0.5 : 0));
          return phrasesOf(samples, rate);
        }"""
    )
    assert phrases == [[420, 3080], [3420, 6080]]
