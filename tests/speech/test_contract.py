"""speech/contract.py; its copies elsewhere are compared in test_windows.py"""

import json
import math
from pathlib import Path

from speech.contract import AUDIO_SHAPES, AUDIO_WINDOW, FEATURE_SIZE

STATE_SHAPES = json.loads((Path(__file__).parents[1] / "data" / "unet_328_state_dict.json").read_text())


def test_windows_fill_their_shapes():
    """Sixteen vectors of 512, 2048 and 8192 values are what the networks of each mode take."""
    lengths = {mode: math.prod(shape) // AUDIO_WINDOW for mode, shape in AUDIO_SHAPES.items()}
    assert lengths == {"ave": FEATURE_SIZE, "hubert": 2 * 1024, "wenet": 32 * 256}


def test_windows_have_the_networks_channels():
    """A window's channels are those the published first audio convolution of every mode takes."""
    first = "audio_model.conv1.conv.0.weight"
    published = {mode: shapes[first] for mode, shapes in STATE_SHAPES.items()}
    channels = {
        mode: (shape["shape"] if isinstance(shape, dict) else shape)[1] for mode, shape in published.items()
    }
    assert channels == {mode: shape[0] for mode, shape in AUDIO_SHAPES.items()}
