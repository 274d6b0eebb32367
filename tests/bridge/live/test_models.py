"""bridge/live/models.py, with a fake Triton"""

import numpy as np
import pytest

from bridge.balancer import Balancer
from bridge.errors import InferTimeout, InternalError, InvalidFrameId, Overloaded, UnknownModel
from bridge.live.models import LiveModels
from tests.bridge.helpers import config_for
from tests.fake_triton import BOUNDS, fake_features, fake_live_jpeg

SOUND = np.random.default_rng(0).normal(size=(3, 3_800)).astype(np.float32)
WINDOW = np.random.default_rng(1).normal(size=(16, 512)).astype(np.float32)


@pytest.fixture
async def models(triton):
    async with Balancer(config_for(triton)) as balancer:
        yield LiveModels(balancer, 5.0)


async def test_encode(models):
    """Samples go to the avatar's speech model, and its vectors come back in order."""
    np.testing.assert_array_equal(await models.encode("echo", SOUND), fake_features(SOUND))


async def test_paint(triton, models):
    """Frame id and window go to the avatar's live model; picture, bounds and version come back."""
    triton.versions["echo_live"] = ["3"]
    picture, version = await models.paint("echo", 7, WINDOW)
    assert (picture.jpeg, picture.bounds) == (fake_live_jpeg("echo", 7, WINDOW), BOUNDS)
    assert version == "3"
    assert triton.requested_outputs == [["jpeg", "bounds"]]


async def test_can_hear(triton, models):
    """An avatar can hear while both of its models are loaded."""
    assert await models.can_hear("echo")
    assert not await models.can_hear("deaf")
    triton.unload_model("echo")
    assert not await models.can_hear("echo")


@pytest.mark.parametrize(
    ("avatar", "error"), [("nobody", UnknownModel), ("full", Overloaded), ("broken", InternalError)]
)
async def test_what_triton_refuses(models, avatar, error):
    """Triton's refusals are the bridge's errors."""
    with pytest.raises(error):
        await models.encode(avatar, SOUND)


async def test_a_frame_that_is_not_there(models):
    """A frame of a clip that was replaced by a shorter one is refused in Triton's words."""
    with pytest.raises(InvalidFrameId, match=r"frame_id 37 is outside \[0, 36\]"):
        await models.paint("echo", 37, WINDOW)


async def test_the_deadline(triton):
    """A call has a deadline, and Triton is told how long it may wait there."""
    async with Balancer(config_for(triton)) as balancer:
        with pytest.raises(InferTimeout, match=r"model 'stuck_speech' within 0.05 s"):
            await LiveModels(balancer, 0.05).encode("stuck", SOUND)


async def test_vectors_that_do_not_fit(triton, models, monkeypatch):
    """A model that answers with another number of vectors is broken, and says how."""
    monkeypatch.setattr("tests.fake_triton.fake_features", lambda samples: np.zeros((1, 512), np.float32))
    with pytest.raises(InternalError) as caught:
        await models.encode("echo", SOUND)
    assert caught.value.detail == "model 'echo_speech': expected 3 vectors, got 2048 bytes"
