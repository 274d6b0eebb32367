"""bridge/live/silence.py, with a fake Triton"""

import asyncio

import numpy as np
import pytest

from bridge.balancer import Balancer
from bridge.errors import InternalError
from bridge.live import silence
from bridge.live.models import LiveModels
from bridge.live.requests import Picture
from bridge.live.silence import SilentClip, SilentClips
from bridge.workers.team import Team
from tests.bridge.helpers import config_for
from tests.bridge.live.client import TRIAL_PICTURES, until
from tests.fake_triton import fake_features, fake_live_jpeg

VECTOR = fake_features(np.zeros((1, 3_800), np.float32))[0]
WINDOW = np.tile(VECTOR, (16, 1))


@pytest.fixture
async def clips(triton):
    async with Balancer(config_for(triton)) as balancer:
        clips = SilentClips(LiveModels(balancer, 5.0))
        yield clips
        await clips.close()


def clip_of(count):
    """Return a clip that remembers pictures of 100 bytes."""
    clip = SilentClip("1", 37, VECTOR, WINDOW)
    for frame_id in range(count):
        clip.remember(frame_id, Picture(bytes(100), (0, 0, 1, 1)))
    return clip


async def test_open(triton, clips):
    """A clip that is new is tried out: its first frames are painted in silence, and how fast that went is known."""
    clip = await clips.open("echo", 37)
    np.testing.assert_array_equal(clip.window, WINDOW)
    assert {i: p.jpeg for i, p in clip.pictures.items()} == {
        i: fake_live_jpeg("echo", i, WINDOW) for i in range(TRIAL_PICTURES)
    }
    assert clip.pictures_per_s > 0
    assert clip.size == sum(len(picture.jpeg) for picture in clip.pictures.values())


async def test_it_is_opened_once(triton, clips):
    """However many open it at once, or again, they share one clip, which is tried out once."""
    first = await asyncio.gather(*(clips.open("echo", 37) for _ in range(5)))
    again = await clips.open("echo", 37)
    assert {id(clip) for clip in (*first, again)} == {id(again)}
    assert triton.calls["echo_live"] == 1 + TRIAL_PICTURES + 1


async def test_another_version(triton, clips):
    """A clip is not that of another version, nor of another number of frames."""
    old = await clips.open("echo", 37)
    triton.versions["echo_live"] = ["2"]
    new = await clips.open("echo", 37)
    assert (old.version, new.version) == ("1", "2")
    assert await clips.open("echo", 30) is not new


async def test_paint(triton, clips):
    """Frames are painted two at a time, each once."""
    clip = await clips.open("stuck", 37)
    clip.window = WINDOW + 1  # no longer silence: the fake waits for its release
    done = []
    for frame_id in (30, 30, 31, 32):
        clips.paint("stuck", clip, frame_id, lambda: done.append(1))
    assert sorted(clip.painting) == [30, 31]
    triton.release.set()
    await until(lambda: len(done) == 2)
    assert {30, 31} <= set(clip.pictures)
    assert not clip.painting


async def test_what_cannot_be_painted_can_be_asked_for_again(triton, clips):
    """A silent picture that Triton fails to paint is left out without a word."""
    clip = await clips.open("echo", 37)
    triton.unload_model("echo")
    done = []
    clips.paint("echo", clip, 30, lambda: done.append(1))
    await until(lambda: bool(done))
    assert 30 not in clip.pictures
    assert not clip.painting


async def test_the_bound(clips, monkeypatch):
    """Pictures of all clips together have a bound; those of the one that was opened longest ago go first."""
    monkeypatch.setattr(silence, "MAX_BYTES", 5_000)
    old, new = await clips.open("echo", 37), await clips.open("stuck", 37)
    assert old.size + new.size <= 5_000
    big = Picture(bytes(4_000), (0, 0, 1, 1))
    clips.remember(new, 36, big)
    assert new.pictures[36] is big
    assert len(old.pictures) < TRIAL_PICTURES
    assert old.size + new.size <= 5_000
    clips.remember(new, 35, big)
    assert not old.pictures
    assert new.size <= 5_000
    assert new.pictures[35] is big


async def test_a_clip_that_was_replaced_counts(triton, clips, monkeypatch):
    """Sessions go on with the clip they began with, and its pictures are within the bound, too."""
    old = await clips.open("echo", 37)
    triton.versions["echo_live"] = ["2"]
    new = await clips.open("echo", 37)
    monkeypatch.setattr(silence, "MAX_BYTES", new.size + 100)
    clips.remember(new, 36, Picture(bytes(90), (0, 0, 1, 1)))
    assert not old.pictures
    assert len(new.pictures) == TRIAL_PICTURES + 1


async def test_remember_and_forget():
    """The first picture of a frame stays; the one that was kept first is forgotten first."""
    clip = clip_of(3)
    clip.remember(0, Picture(b"", (0, 0, 1, 1)))
    assert clip.size == 300
    clip.forget_one()
    assert (sorted(clip.pictures), clip.size) == ([1, 2], 200)


async def test_a_failure_to_open(clips):
    """Whoever waits for a clip that cannot be opened is told why, and the next one tries anew."""
    for _ in range(2):
        with pytest.raises(InternalError):
            await clips.open("broken", 37)


async def test_close(triton, clips):
    """Nothing goes on behind a close, also not for a clip that was replaced."""
    clip = await clips.open("stuck", 37)
    clip.window = WINDOW + 1
    clips.paint("stuck", clip, 30, lambda: None)
    await triton.wait_for_calls("stuck_live", TRIAL_PICTURES + 2)
    triton.versions["stuck_live"] = ["2"]
    await clips.open("stuck", 37)
    await clips.close()
    assert not clip.painting


async def test_it_is_tried_out_again(triton, clips, monkeypatch):
    """Triton may have been busy at first: after a while its speed is measured anew, but not while somebody speaks."""
    clip = await clips.open("echo", 37)
    clip.pictures_per_s = 1.0
    await clips.open("echo", 37, nobody_speaks=True)
    assert clip.pictures_per_s == 1.0
    monkeypatch.setattr(silence, "TRIAL_AGE_S", 0.0)
    await clips.open("echo", 37, nobody_speaks=False)
    assert clip.pictures_per_s == 1.0
    assert await clips.open("echo", 37, nobody_speaks=True) is clip
    assert clip.pictures_per_s > 1.0
    assert triton.calls["echo_live"] == 4 + 2 * TRIAL_PICTURES


class Painters:
    """Stands for the models of a Triton that paints so many pictures at once, each in 5 ms of a clock of its own."""

    def __init__(self, count, monkeypatch):
        self._count = count
        self._now = 0
        self._clock_s = 0.0
        self.most = 0
        monkeypatch.setattr(silence.time, "perf_counter", lambda: self._clock_s)

    async def encode(self, avatar, samples):
        return np.zeros((len(samples), 512), np.float32)

    async def paint(self, avatar, frame_id, window):
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0)
        self._clock_s += 0.005 / min(self._now, self._count)
        self._now -= 1
        return Picture(bytes(100), (0, 0, 1, 1)), "1"


@pytest.mark.parametrize(("painters", "asked"), [(1, 16), (1000, 64)])
async def test_more_at_once_is_tried_where_it_pays(monkeypatch, painters, asked):
    """A GPU is not known by four pictures at a time: more are tried, for as long as that brings more."""
    monkeypatch.setattr(silence, "TRIALS", ((4, 24), (16, 48), (64, 128)))
    models = Painters(painters, monkeypatch)
    clip = await SilentClips(models).open("echo", 37)
    assert models.most == asked
    assert (clip.pictures_per_s > 1000) == (painters > 1)


async def test_a_slow_trial_is_the_last(monkeypatch):
    """Where the first trial takes long, all that Triton has was at work, and viewers are kept waiting no longer."""
    monkeypatch.setattr(silence, "TRIALS", ((4, 24), (16, 48)))
    monkeypatch.setattr(silence, "QUICK_S", 0.01)
    models = Painters(1000, monkeypatch)
    await SilentClips(models).open("echo", 37)
    assert models.most == 4


async def test_a_worker_takes_the_rate_that_another_found(triton, tmp_path):
    """While sessions speak, what is measured is what they leave: a new worker takes what was found before."""
    async with Balancer(config_for(triton)) as balancer:
        first, second = (
            SilentClips(LiveModels(balancer, 5.0), Team(index, [0.0] * 2, [0.0] * 2, tmp_path))
            for index in range(2)
        )
        found = await first.open("echo", 37, nobody_speaks=True)
        painted = triton.calls["echo_live"]
        taken = await second.open("echo", 37, nobody_speaks=False)
        assert taken.pictures_per_s == found.pictures_per_s > 0
        assert triton.calls["echo_live"] == painted + 1
