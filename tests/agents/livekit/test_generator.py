"""livekit/plugins/lipsync/generator.py: LiveKit's own runner, the real bridge and the real Triton."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents.voice.avatar import AudioSegmentEnd
from livekit.plugins.lipsync import LipsyncGenerator

from lipsync_client import InvalidSetting, InvalidUrl, LipsyncError, SpeechPicture
from tests.agents.conftest import AVATAR, Running
from tests.agents.livekit.stage import RATE, Stage, playing, sounds, speech, watch_pictures

TRIALS = 100
SENTENCES = 5
TAG_BITS = 7
"""The lowest bits of each sample say which sentence it belongs to."""


def tagged(number: int, seconds: float) -> bytes:
    """Return speech whose every sample says which sentence it is of."""
    samples = np.frombuffer(speech(seconds), "<i2")
    return (samples & -(1 << TAG_BITS) | number % (1 << TAG_BITS)).astype("<i2").tobytes()


def tags(pcm: bytes) -> set[int]:
    """Return which sentences sound is of."""
    return {int(tag) for tag in np.unique(np.frombuffer(pcm, "<i2") & (1 << TAG_BITS) - 1)}


@pytest.mark.parametrize(
    ("rate", "samples", "size"),
    [
        (16_000, 20_000, 3200),
        (16_000, 3, 2),
        (24_000, 24_001, 962),
        (22_050, 20_000, 9998),
        (48_000, 48_000, 960),
    ],
)
async def test_speech_comes_out_as_it_went_in(bridge: Running, rate: int, samples: int, size: int) -> None:
    """To the sample, whatever its rate and its pieces; the agent is told of its end, and how long it was."""
    pcm = speech(samples / rate, rate)
    async with playing(bridge.url, sample_rate=rate) as (_, stage):
        await stage.say(pcm, size)
        await stage.until(lambda: bool(stage.finished))
    assert stage.heard == pcm
    assert [(event.playback_position, event.interrupted) for event in stage.finished] == [
        (pytest.approx(samples / rate, abs=1e-9), False)
    ]
    assert stage.started == 1


async def say_one(url: str) -> tuple[Stage, dict[int, SpeechPicture]]:
    """Have a sentence of 2 s said between silences; return what was given out, and which pictures were made."""
    async with playing(url, patience_s=60.0) as (generator, stage):
        shown = watch_pictures(generator)
        await stage.until(lambda: len(stage.pushed) >= 5)
        await stage.say(speech(2))
        await stage.until(lambda: bool(stage.finished))
        told = len(stage.pushed)
        await stage.until(lambda: len(stage.pushed) >= told + 5)
    return stage, shown


async def test_each_sound_follows_its_picture(bridge: Running) -> None:
    """Every 40 ms of speech come after a picture, one of speech; silent ones before and after."""
    for _ in range(SENTENCES):  # a busy machine leaves pictures out
        stage, shown = await say_one(bridge.url)
        places = [place for place, frame in enumerate(stage.pushed) if isinstance(frame, rtc.AudioFrame)]
        assert {stage.pushed[place].samples_per_channel for place in places} == {640}  # type: ignore[union-attr]
        assert np.diff(places).tolist() == [2] * 49
        assert not any(isinstance(frame, rtc.AudioFrame) for frame in stage.pushed[:5] + stage.pushed[-4:])
        assert shown[id(stage.pushed[0])].is_silent
        pictures = [shown.get(id(stage.pushed[place - 1])) for place in places]
        spoken = [picture for picture in pictures if picture is not None and picture.is_speech]
        samples = [picture.sample for picture in spoken if picture.sample is not None]
        assert samples == sorted(samples)
        if len(spoken) >= 5:
            return
    pytest.fail(f"expected 5 speaking pictures of {len(places)} in one of {SENTENCES} sentences")


async def test_two_utterances_at_once(bridge: Running) -> None:
    """Of utterances that the agent gives one after another, each has its end, its start and its length."""
    first, second = speech(1), speech(1.3, start_s=4)
    async with playing(bridge.url) as (_, stage):
        await stage.say(first)
        await stage.say(second)
        await stage.until(lambda: len(stage.finished) == 2)
    assert stage.heard == first + second
    assert [round(event.playback_position * RATE) for event in stage.finished] == [16_000, 20_800]
    assert stage.started == 2


@pytest.mark.timeout(600)
async def test_an_interruption_leaves_nothing(bridge: Running) -> None:
    """In a hundred interruptions nothing of the old sentence follows, and the played position is exact.

    Each sentence's samples say which it is, so that one that leaks is seen; so does each picture's epoch.
    """
    chance = random.Random(7)
    async with playing(bridge.url) as (generator, stage):
        shown = watch_pictures(generator)
        for trial in range(TRIALS):
            begin = len(stage.pushed)
            await interrupt(stage, trial, chance)
            event, heard = stage.finished[trial], sounds(stage.pushed[begin:])
            assert event.interrupted
            assert event.playback_position * RATE == pytest.approx(len(heard) / 2, abs=1e-6)
            assert heard == tagged(trial, 3)[: len(heard)]
            await look_for_leaks(generator, stage, shown)
    assert stage.started == TRIALS
    assert tags(stage.heard) == set(range(TRIALS))


async def interrupt(stage: Stage, trial: int, chance: random.Random) -> None:
    """Say a sentence, and interrupt it at any moment of any of its slots."""
    goal = len(stage.heard) + chance.randrange(1, 12) * 1280
    await stage.say(tagged(trial, 3), ends=chance.random() < 0.5)
    await stage.until(lambda: len(stage.heard) >= goal)
    await asyncio.sleep(chance.random() * 0.04)
    stage.queue.clear_buffer()
    stage.queue.flush()
    await stage.until(lambda: len(stage.finished) > trial)


async def look_for_leaks(generator: LipsyncGenerator, stage: Stage, shown: dict[int, SpeechPicture]) -> None:
    """Check that no sound follows, and no picture of the old epoch but the one that stands."""
    cleared = len(stage.pushed)
    session = generator._link._session
    assert session is not None
    await stage.until(lambda: len(stage.pushed) >= cleared + 3)
    standing = id(last_picture(stage.pushed[:cleared]))
    for frame in stage.pushed[cleared:]:
        assert not isinstance(frame, rtc.AudioFrame)
        picture = shown.get(id(frame))
        assert picture is None or id(frame) == standing or picture.is_silent or picture.epoch >= session.epoch


def last_picture(frames: list[Any]) -> rtc.VideoFrame:
    """Return the last video frame: it may stand until the first picture of the new epoch comes."""
    return next(frame for frame in reversed(frames) if isinstance(frame, rtc.VideoFrame))


async def test_a_sentence_right_after_an_interruption(bridge: Running) -> None:
    """What is said while the interruption still goes on is of the new sentence: whole, and with pictures of its own."""
    async with playing(bridge.url) as (_, stage):
        await stage.say(tagged(1, 3))
        await stage.until(lambda: bool(stage.heard))
        stage.queue.clear_buffer()
        await stage.say(tagged(2, 1))
        await stage.until(lambda: len(stage.finished) == 2)
    old = round(stage.finished[0].playback_position * RATE)
    assert stage.heard == tagged(1, 3)[: 2 * old] + tagged(2, 1)
    assert [event.interrupted for event in stage.finished] == [True, False]
    assert stage.finished[1].playback_position == pytest.approx(1.0, abs=1e-9)


async def test_much_sound_waits(bridge: Running) -> None:
    """Who gives more than twenty seconds at once has to wait, and an interruption lets go."""
    generator = LipsyncGenerator(bridge.url, AVATAR)
    async with generator:
        second = rtc.AudioFrame(bytes(2 * RATE), RATE, 1, RATE)
        for _ in range(20):
            await generator.push_audio(second)
        waiting = asyncio.create_task(generator.push_audio(second))
        ending = asyncio.create_task(generator.push_audio(AudioSegmentEnd()))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        await generator.clear_buffer()
        await asyncio.gather(waiting, ending)
        assert generator._playout.held_s == 0


async def test_closing_ends_the_iteration(bridge: Running) -> None:
    """Who iterates, and who waits for an end to be played, is let go."""
    async with LipsyncGenerator(bridge.url, AVATAR) as generator:
        await generator.push_audio(rtc.AudioFrame(bytes(1280), RATE, 1, 640))
        ending = asyncio.create_task(generator.push_audio(AudioSegmentEnd()))
        await asyncio.wait([ending], timeout=0)
    assert [item async for item in generator] == []
    await asyncio.wait_for(ending, 5)


async def test_the_video_has_the_size_that_is_asked_for(bridge: Running) -> None:
    """The width goes with the height, both even; the clip's own where none is asked for."""
    async with playing(bridge.url, height=270) as (generator, stage):
        assert (generator.options.video_width, generator.options.video_height) == (270, 270)
        await stage.until(lambda: bool(stage.pushed))
        frame = stage.pushed[0]
        assert isinstance(frame, rtc.VideoFrame)
        assert (frame.width, frame.height) == (270, 270)


async def test_an_avatar_that_is_not_there(bridge: Running) -> None:
    """The sentence names what the bridge does not have."""
    with pytest.raises(LipsyncError, match="nobody"):
        async with LipsyncGenerator(bridge.url, "nobody"):
            pass


async def test_a_bridge_that_is_not_there() -> None:
    """At the start that is an error: later the bridge is tried again."""
    with pytest.raises(LipsyncError) as caught:
        async with LipsyncGenerator("http://127.0.0.1:9", AVATAR):
            pass
    assert caught.value.code == "unavailable"
    assert "127.0.0.1:9" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sample_rate": 16_001}, "sample_rate must be a multiple of 25, got 16001"),
        ({"sample_rate": 4_000}, "sample_rate must be an integer from 8000 to 48000, got 4000"),
        ({"height": 271}, "height must be an even number of pixels from 16 to 4096, got 271"),
        ({"patience_s": -1.0}, "patience_s must be a number of seconds from 0 on, got -1.0"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], sentence: str) -> None:
    """A bad setting is refused before anything is connected."""
    with pytest.raises(InvalidSetting) as caught:
        LipsyncGenerator("http://localhost:8086", AVATAR, **settings)
    assert str(caught.value) == sentence


def test_a_url_that_cannot_be() -> None:
    """So is a URL that names no bridge."""
    with pytest.raises(InvalidUrl):
        LipsyncGenerator("ftp://localhost", AVATAR)
