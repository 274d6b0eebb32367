"""pipecat_lipsync/service.py, on the real framework, bridge and Triton."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
from collections.abc import Callable

import numpy as np
import pytest
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    MetricsFrame,
    OutputImageRawFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.metrics.metrics import TTFBMetricsData
from pipecat.pipeline.worker import PipelineParams
from pipecat.tests.utils import run_test

from lipsync_client import InvalidAnswer, InvalidSetting, InvalidUrl, SpeechPicture
from pipecat_lipsync import LipSyncVideoService
from tests.agents.conftest import Running
from tests.agents.pipecat.pipeline import (
    Conversation,
    audio_of,
    images_of,
    running_pipeline,
    said,
    service_for,
    tone,
    voice,
)


def has(kind: type[Frame], count: int = 1) -> Callable[[list[Frame]], bool]:
    """Return a condition: so many frames of a kind came."""
    return lambda frames: sum(isinstance(frame, kind) for frame in frames) >= count


def spoken(frames: list[Frame]) -> list[OutputImageRawFrame]:
    """Return the pictures among frames that sound belongs to."""
    return [image for image in images_of(frames) if image.metadata["lipsync"]["sample"] is not None]


async def begun(running: Conversation) -> None:
    """Return once a session has begun: its idle pictures come."""
    await running.listener.until(images_of)
    running.listener.forget()


@pytest.mark.parametrize(
    ("rate", "channels", "played"),
    [(16_000, 1, 16_000), (24_000, 1, 24_000), (48_000, 2, 48_000), (8_000, 1, 24_000), (44_100, 2, 16_000)],
)
async def test_each_picture_has_its_own_sound(bridge: Running, rate: int, channels: int, played: int) -> None:
    """Every 40 ms come out as a picture and its own sound, at the rate that is played; no sample is lost or doubled."""
    pcm = voice(1.03, rate, channels)
    service = service_for(bridge, full_frame=False, pacing="none")
    async with running_pipeline(service, rate=played) as running:
        await running.opened()
        await running.say(TTSStartedFrame(), *said(pcm, rate), TTSStoppedFrame())
        await running.listener.until(has(TTSStoppedFrame))
        frames = list(running.listener.frames)
    assert isinstance(frames[0], TTSStartedFrame)
    assert isinstance(frames[-1], TTSStoppedFrame)
    assert [type(frame) for frame in frames[1:-1]] == [OutputImageRawFrame, TTSAudioRawFrame] * 26
    sound = frames[2:-1:2]
    assert {(frame.sample_rate, frame.num_channels) for frame in sound} == {(played, channels)}
    assert [frame.num_frames for frame in sound[:-1]] == [played // 25] * 25
    assert sum(frame.num_frames for frame in sound) == round(len(pcm) * played / rate)
    assert [image.metadata["lipsync"]["sample"] for image in spoken(frames)] == list(
        range(0, 26 * played // 25, played // 25)
    )
    if rate == played:
        assert audio_of(frames) == pcm.tobytes()


async def test_in_pipecats_own_harness(bridge: Running) -> None:
    """Whether a session has begun by then or not, frames among speech keep their place, and all comes out."""
    pcm = voice(0.4)
    first, second = said(pcm, piece_ms=200)
    frames = [TTSStartedFrame(), first, TTSTextFrame("one", "word"), second, TTSTextFrame("two", "word")]
    params = PipelineParams(audio_out_sample_rate=16_000)
    frames.append(TTSStoppedFrame())
    down, _ = await run_test(service_for(bridge), frames_to_send=frames, pipeline_params=params)
    heard = [frame for frame in down if not isinstance(frame, OutputImageRawFrame)]
    kinds = [kind for kind, _ in itertools.groupby(type(frame) for frame in heard)]
    text = [TTSTextFrame]
    assert kinds == [TTSStartedFrame, TTSAudioRawFrame, *text, TTSAudioRawFrame, *text, TTSStoppedFrame]
    assert audio_of(heard) == pcm.tobytes()
    assert audio_of(heard[: [type(frame) for frame in heard].index(TTSTextFrame)]) == pcm[:3_200].tobytes()


async def test_the_end_waits_for_what_is_held(bridge: Running) -> None:
    """The pipeline ends when all speech was given back, with its pictures, and the service with it."""
    pcm = voice(0.6)
    async with running_pipeline(service_for(bridge, full_frame=False, pacing="none")) as running:
        await running.opened()
        await running.say(*said(pcm), EndFrame())
        await running.listener.until(has(EndFrame))
        frames = list(running.listener.frames)
    assert isinstance(frames[-1], EndFrame)
    assert audio_of(frames) == pcm.tobytes()
    assert len(spoken(frames)) == 15


async def test_the_face_idles_between_utterances(bridge: Running) -> None:
    """Before and after speech silent pictures come, whole frames of the clip, and those after it come after its end."""
    async with running_pipeline(service_for(bridge)) as running:
        await begun(running)
        await running.say(*said(voice(0.3)), TTSStoppedFrame())
        await running.listener.until(has(TTSStoppedFrame))
        ended = len(running.listener.frames)
        await running.listener.until(lambda frames: len(images_of(frames[ended:])) > 2)
        frames = list(running.listener.frames)
    assert {image.size for image in images_of(frames)} == {(512, 512)}
    assert spoken(frames[ended:]) == []
    assert spoken(frames[:ended])


async def test_two_utterances_share_no_picture(bridge: Running) -> None:
    """The last picture of an utterance, which is shorter than 40 ms, has no sound of the next."""
    service = service_for(bridge, full_frame=False, pacing="none")
    async with running_pipeline(service) as running:
        await running.opened()
        await running.say(*said(tone(1, 0.13)), TTSStoppedFrame(), *said(tone(2, 0.13)), TTSStoppedFrame())
        await running.listener.until(has(TTSStoppedFrame, 2))
        frames = list(running.listener.frames)
    assert [frame.num_frames for frame in frames if isinstance(frame, TTSAudioRawFrame)] == [
        640,
        640,
        640,
        160,
    ] * 2
    assert [image.metadata["lipsync"]["sample"] for image in spoken(frames)] == [
        *(0, 640, 1280, 1920),
        *(2080, 2720, 3360, 4000),
    ]


async def test_speech_that_breaks_off_is_shown_to_its_end(bridge: Running) -> None:
    """Where a voice stops without a word, its last pictures come all the same, and with them all of its sound."""
    async with running_pipeline(service_for(bridge, full_frame=False, pacing="none")) as running:
        await running.opened()
        await running.say(*said(tone(3, 0.6)))
        await running.listener.until(lambda frames: len(audio_of(frames)) == 2 * 9_600)
        assert len(spoken(running.listener.frames)) == 15


async def test_an_interruption_leaves_nothing(bridge: Running) -> None:
    """After the interruption no sample, picture or word of the old sentence comes; the new one comes whole."""
    async with running_pipeline(service_for(bridge, full_frame=False)) as running:
        await begun(running)
        for trial in range(6):
            running.listener.forget()
            old, new = tone(2 * trial + 1, 4.0), tone(2 * trial + 2, 0.3)
            await running.say(*said(old), TTSTextFrame("old", "word"), TTSStoppedFrame())
            await running.listener.until(  # a machine that is busy may leave all pictures out
                lambda frames, wanted=trial % 3: len(spoken(frames)) >= wanted or has(TTSStoppedFrame)(frames)
            )
            await running.say(InterruptionFrame())
            await running.listener.until(has(InterruptionFrame))
            interrupted = [type(frame) for frame in running.listener.frames].index(InterruptionFrame)
            await running.say(*said(new), TTSStoppedFrame())
            await running.listener.until(
                lambda frames, start=interrupted: has(TTSStoppedFrame)(frames[start:])
            )
            frames = list(running.listener.frames)
            after = frames[interrupted:]
            assert set(audio_of(frames[:interrupted])) <= {2 * trial + 1, 0}
            assert audio_of(after) == new.tobytes()
            assert {image.metadata["lipsync"]["epoch"] for image in images_of(after)} == {trial + 1}
            assert not any(isinstance(frame, TTSTextFrame) for frame in after)


async def test_sound_that_an_interruption_overtook_is_dropped(bridge: Running) -> None:
    """What was made before an interruption and arrives just after it is of the old sentence; what comes later is not.

    That is so for frames that were made before and are said after, too: nothing but the overtaking makes them stale.
    """
    async with running_pipeline(service_for(bridge, full_frame=False)) as running:
        await begun(running)
        prepared = said(tone(3, 0.2))
        late, interruption = [*said(tone(1, 0.5)), TTSStoppedFrame()], InterruptionFrame()
        await running.say(interruption, *late, *said(tone(2, 0.5)), TTSStoppedFrame())
        await running.listener.until(has(TTSStoppedFrame))
        await running.say(*prepared, TTSStoppedFrame())
        await running.listener.until(has(TTSStoppedFrame, 2))
        assert audio_of(running.listener.frames) == tone(2, 0.5).tobytes() + tone(3, 0.2).tobytes()


async def test_what_may_not_be_interrupted_goes_on(bridge: Running) -> None:
    """Sound and frames that are marked so are given back behind the interruption."""
    async with running_pipeline(service_for(bridge, full_frame=False)) as running:
        await begun(running)
        kept = said(tone(1, 0.3))
        for frame in kept:
            frame.interruptible = False
        await running.say(*kept, *said(tone(2, 0.3)))
        await running.heard(0.6)
        await running.say(InterruptionFrame())
        await running.listener.until(lambda frames: 1 in np.frombuffer(audio_of(frames), np.int16))
        frames = list(running.listener.frames)
    assert set(np.frombuffer(audio_of(frames), np.int16)) == {1}


async def test_without_a_bridge_the_voice_goes_on() -> None:
    """Where none answers, speech passes through at once, with one error for all of it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        pcm = voice(1.0)
        async with running_pipeline(LipSyncVideoService(url=url)) as running:
            for _ in range(2):
                await running.say(TTSStartedFrame(), *said(pcm), TTSStoppedFrame())
            await running.listener.until(has(TTSStoppedFrame, 2))
            await running.troubled()
            assert audio_of(running.listener.frames) == 2 * pcm.tobytes()
            assert images_of(running.listener.frames) == []
        (error,) = running.errors
    assert isinstance(error, ErrorFrame)
    assert error.error.startswith(f"expected a bridge at {url}, got no answer: ")


async def test_a_bridge_that_dies_in_mid_sentence(start_bridge: Callable[..., Running]) -> None:
    """The rest of the sentence goes on without pictures; once a bridge is back, so is the face."""
    first = start_bridge()
    pcm = voice(3.0)
    async with running_pipeline(service_for(first, full_frame=False)) as running:
        await begun(running)
        await running.say(*said(pcm), TTSStoppedFrame())
        await running.listener.until(spoken)
        first.kill()
        await running.listener.until(has(TTSStoppedFrame))
        assert audio_of(running.listener.frames) == pcm.tobytes()
        assert len(running.errors) == 1
        running.listener.forget()
        start_bridge(port=int(first.url.rpartition(":")[2]))
        await begun(running)
        await running.say(*said(pcm[:8_000]), TTSStoppedFrame())
        await running.listener.until(has(TTSStoppedFrame))
        assert audio_of(running.listener.frames) == pcm[:8_000].tobytes()
        assert spoken(running.listener.frames)


async def test_a_bridge_that_hangs(start_bridge: Callable[..., Running]) -> None:
    """Sound whose picture does not come within the timeout goes on without it."""
    own = start_bridge()
    pcm = voice(2.0)
    async with running_pipeline(service_for(own, full_frame=False, picture_timeout_s=0.3)) as running:
        await begun(running)
        os.kill(own.process.pid, signal.SIGSTOP)
        await running.say(*said(pcm), TTSStoppedFrame())
        await running.listener.until(has(TTSStoppedFrame))
        os.kill(own.process.pid, signal.SIGCONT)
        assert audio_of(running.listener.frames) == pcm.tobytes()
        assert spoken(running.listener.frames) == []
    assert running.errors[0].error == "expected the next picture within 0.3 s, got none"


async def test_a_picture_that_cannot_be_made(bridge: Running) -> None:
    """Where pictures come that cannot be shown, their sound goes on all the same, with one error."""
    pcm = voice(0.6)
    service = service_for(bridge, full_frame=False, pacing="none")
    async with running_pipeline(service) as running:
        await running.opened()

        async def frame_of(picture: SpeechPicture) -> OutputImageRawFrame:
            raise InvalidAnswer("demo", "JPEGs that can be decoded", "9 bytes that cannot")

        service._pictures.frame_of = frame_of
        await running.say(*said(pcm), TTSStoppedFrame())
        await running.listener.until(has(TTSStoppedFrame))
        assert audio_of(running.listener.frames) == pcm.tobytes()
        assert images_of(running.listener.frames) == []
    assert [error.error for error in running.errors] == [
        "model 'demo' must answer JPEGs that can be decoded, got 9 bytes that cannot"
    ]


async def test_time_to_first_byte(bridge: Running) -> None:
    """Each utterance is measured once, from its first sound to its first picture; an interrupted one is not."""
    service = service_for(bridge, full_frame=False)
    async with running_pipeline(service, enable_metrics=True) as running:
        await begun(running)
        await running.say(*said(tone(1, 1.0)))
        await running.heard(1.0)
        await running.say(InterruptionFrame())
        await running.listener.until(has(InterruptionFrame))
        for count in (1, 2):
            await running.say(*said(voice(0.5)), TTSStoppedFrame())
            await running.listener.until(has(TTSStoppedFrame, count))
        frames = list(running.listener.frames)
    measured = [data for frame in frames if isinstance(frame, MetricsFrame) for data in frame.data]
    times_s = [data.value for data in measured if isinstance(data, TTFBMetricsData)]
    assert len(times_s) == 2
    assert all(0.01 < time_s < 60 for time_s in times_s)  # a picture takes longer than sound that passes


def test_settings_are_checked_at_once() -> None:
    """A setting that cannot be is refused where the service is made."""
    with pytest.raises(InvalidUrl):
        LipSyncVideoService(url="ftp://here")
    with pytest.raises(InvalidSetting, match="pacing"):
        LipSyncVideoService(pacing="fast")
    with pytest.raises(InvalidSetting, match="picture_timeout_s"):
        LipSyncVideoService(picture_timeout_s=0)


async def test_a_pipeline_that_is_cancelled_leaves_nothing(bridge: Running) -> None:
    """After the end of a pipeline none of its tasks is left, and the session is closed."""
    before = asyncio.all_tasks()
    async with running_pipeline(service_for(bridge)) as running:
        await begun(running)
        await running.say(*said(voice(2.0)))
        await running.heard(0.1)
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()
