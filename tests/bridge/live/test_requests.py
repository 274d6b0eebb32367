"""bridge/live/requests.py"""

import numpy as np
import pytest

from bridge.live.requests import Counts, EngineOptions, Spoken
from speech.utterance import Utterance


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (1, 1), (640, 1), (641, 2)])
def test_is_asked_for(samples, frames):
    """An utterance is asked for once it has ended and each of its pictures, 40 ms long, was."""
    spoken = Spoken(0, Utterance())
    spoken.heard.feed(np.zeros(samples, np.float32))
    assert not spoken.is_asked_for
    spoken.heard.end()
    assert spoken.is_asked_for == (not frames)
    spoken.asked = frames
    assert spoken.is_asked_for


def test_held_frames():
    """What waits is what was heard and not asked for, in pictures, a picture begun in full."""
    spoken = Spoken(0, Utterance())
    assert spoken.held_frames == 1
    spoken.heard.feed(np.zeros(1_300, np.float32))
    assert spoken.held_frames == 3
    spoken.asked = 2
    assert spoken.held_frames == 1


def test_options():
    """Sixteen vectors a request is the greatest batch of the models; a whole look-ahead is six."""
    options = EngineOptions(frame_count=1)
    assert (options.batch, options.look_ahead, options.samples_per_frame) == (16, 6, 640)


def test_counts_are_not_shared():
    """Each session has lists of its own."""
    Counts().late_s.append(1.0)
    assert Counts().late_s == []
