"""benchmarks/baselines/stand_in.py; with a bridge before it in test_bridge_alone.py"""

import numpy as np
import pytest

from benchmarks.baselines.process import running
from benchmarks.baselines.stand_in import AVATAR, FRAMES, PICTURE_BYTES
from bridge.balancer import Balancer
from bridge.config import BridgeConfig
from bridge.live.models import LiveModels
from bridge.triton import frame_request, int32_output


@pytest.fixture
def address():
    """Where it listens."""
    with running("the stand-in", ["-m", "benchmarks.baselines.stand_in"]) as port:
        yield f"127.0.0.1:{port}"


async def test_answers(address: str) -> None:
    """It tells its clip, hears each sound differently, and paints pictures of the demo's size."""
    async with Balancer(BridgeConfig(upstreams=(address,))) as balancer:
        models = LiveModels(balancer, 30.0)
        assert await models.can_hear(AVATAR)
        sounds = np.arange(3 * 3_800, dtype=np.float32).reshape(3, 3_800)
        np.testing.assert_array_equal(await models.encode(AVATAR, sounds), sounds[:, :512])
        picture, version = await models.paint(AVATAR, 7, np.zeros((16, 512), np.float32))
        assert (len(picture.jpeg), picture.bounds, version) == (PICTURE_BYTES, (10, 20, 330, 340), "1")
        config = await balancer.call(lambda triton: triton.get_model_config(f"{AVATAR}_frames", 30.0))
        assert config.parameters["frame_count"].string_value == str(FRAMES)
        request = frame_request(f"{AVATAR}_frames", 0, ("bounds",))
        answer = await balancer.call(lambda triton: triton.infer(request, 30.0))
        assert int32_output(answer, "bounds") == [10, 20, 330, 340]
