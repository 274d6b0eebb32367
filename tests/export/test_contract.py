"""export/contract.py"""

import pytest

from export import contract

FEATURE_LENGTHS = {"ave": 512, "hubert": 2 * 1024, "wenet": 32 * 256}


def test_picture_geometry():
    """The face is the 328 crop less 4 pixels on each side."""
    assert (contract.CROP_SIZE, contract.FACE_SIZE, contract.BORDER) == (328, 320, 4)


def test_mask_is_the_published_rectangle():
    """The painted rectangle is x=5, y=5, w=310, h=305: rows 5 to 309, columns 5 to 314."""
    assert [
        list(range(*ends))[:: end - 1]
        for ends, end in ((contract.MASK_ROWS, 305), (contract.MASK_COLUMNS, 310))
    ] == [
        [5, 309],
        [5, 314],
    ]


@pytest.mark.parametrize("mode", contract.AUDIO_SHAPES)
def test_window_has_the_networks_channels(state_shapes, mode):
    """A window's channels are those the published first audio convolution takes."""
    channels = state_shapes[mode]["audio_model.conv1.conv.0.weight"][1]
    assert contract.AUDIO_SHAPES[mode][0] == channels


@pytest.mark.parametrize("mode", contract.AUDIO_SHAPES)
def test_window_is_sixteen_vectors(mode):
    """A window holds 16 feature vectors of the mode's length."""
    channels, height, width = contract.AUDIO_SHAPES[mode]
    assert channels * height * width == 16 * FEATURE_LENGTHS[mode]


def test_every_published_mode_is_known(state_shapes):
    """The modes are those that state dicts exist for."""
    assert set(contract.AUDIO_SHAPES) == set(state_shapes)
