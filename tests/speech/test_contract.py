"""speech/contract.py; its copies elsewhere are compared in test_windows.py"""

import json
import math
from pathlib import Path

from speech.contract import AUDIO_SHAPES, AUDIO_WINDOW, FEATURE_SIZE, vector_size, window_shape

DATA = Path(__file__).parents[1] / "data"
STATE_SHAPES = json.loads((DATA / "unet_328_state_dict.json").read_text())
STATE_SHAPES_160 = json.loads((DATA / "unet_160_state_dict.json").read_text())


def test_windows_fill_their_shapes():
    """Sixteen vectors of 512, 2048 and 8192 values are what the networks of each mode take."""
    lengths = {mode: math.prod(shape) // AUDIO_WINDOW for mode, shape in AUDIO_SHAPES.items()}
    assert lengths == {"ave": FEATURE_SIZE, "hubert": 2 * 1024, "wenet": 32 * 256}
    assert {mode: vector_size(mode) for mode in AUDIO_SHAPES} == lengths


def test_windows_have_the_networks_channels():
    """A window's channels are those the published first audio convolution of every mode takes."""
    first = "audio_model.conv1.conv.0.weight"
    published = {mode: shapes[first] for mode, shapes in STATE_SHAPES.items()}
    channels = {
        mode: (shape["shape"] if isinstance(shape, dict) else shape)[1] for mode, shape in published.items()
    }
    assert channels == {mode: shape[0] for mode, shape in AUDIO_SHAPES.items()}


def test_windows_of_eight():
    """The smaller network's windows of 8 vectors are 16x32x32 and 128x16x32, whose channels its weights take."""
    shapes = {mode: window_shape(mode, 8) for mode in STATE_SHAPES_160}
    assert shapes == {"hubert": (16, 32, 32), "wenet": (128, 16, 32)}
    for mode, shape in shapes.items():
        assert STATE_SHAPES_160[mode]["audio_model.conv1.conv.0.weight"][1] == shape[0]
