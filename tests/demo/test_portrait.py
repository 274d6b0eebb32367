import numpy as np
import pytest

from demo.portrait import backdrop, body_layer, hair_layer, head_layer


@pytest.mark.parametrize("paint", [hair_layer, body_layer, head_layer])
def test_layers_are_premultiplied(paint):
    """No colour exceeds its alpha, part of each layer is opaque and part of it clear."""
    layer = paint(256)
    assert layer.shape == (256, 256, 4)
    assert layer.dtype == np.uint8
    assert (layer[..., :3] <= layer[..., 3:].astype(int) + 1).all()
    assert (layer[..., 3] == 255).any()
    assert (layer[..., 3] == 0).any()


def test_backdrop_fills_the_picture():
    """The room has no hole, and is the same at every call."""
    room = backdrop(256)
    assert room.shape == (256, 256, 3)
    assert room.min() > 60
    np.testing.assert_array_equal(room, backdrop(256))


def test_hair_is_the_same_at_every_call():
    """The strands come from a fixed seed."""
    np.testing.assert_array_equal(hair_layer(256), hair_layer(256))
