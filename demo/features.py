"""Stand-ins for audio features: a vector of 512 numbers per frame, computed from the mouth's pose.

They are not made from speech. The demo has no voice, and a feature must only be what an audio encoder's output
would be to the network: a fixed function of what the mouth does. Opening, width, rounding and tongue, and how
fast each changes (its phase: whether the mouth is opening or closing), are mapped by a fixed random layer:
``relu(W · [pose, 4 · change per frame] + b)``, W and b drawn once from seed 110.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from demo.pose import Pose

__all__ = ["FEATURES", "audio_features"]

FEATURES = 512

_SEED = 110
_CHANGE_GAIN = 4.0


def audio_features(poses: Sequence[Pose]) -> npt.NDArray[np.float32]:
    """Return one vector per pose: Tx512 float32, 0 and up. The clip is taken as a loop."""
    mouths = [pose.mouth for pose in poses]
    shape = np.array([(m.opening, m.width, m.rounding, m.tongue) for m in mouths])
    change = (np.roll(shape, -1, 0) - np.roll(shape, 1, 0)) / 2
    rng = np.random.default_rng(_SEED)
    weights = rng.normal(0.0, 1.0, (2 * shape.shape[1], FEATURES))
    bias = rng.normal(0.0, 0.5, FEATURES)
    layer = np.hstack([shape, _CHANGE_GAIN * change]) @ weights + bias
    return np.asarray(np.maximum(layer, 0.0), np.float32)
