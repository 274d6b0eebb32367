"""benchmarks/gpu/frames.py"""

import numpy as np

from benchmarks.gpu.frames import clip_frames, repeated
from benchmarks.site import prepare_site


def test_frames_are_those_of_the_avatar(settings):
    """Faces and windows of speech are what the avatar's import makes of the clip, from its first frame to its last."""
    frames = clip_frames(settings, 3)
    folder = prepare_site(settings.folder, ("half",)).avatars / "half"
    faces, vectors = (np.load(folder / f"{name}.npy") for name in ("faces", "audio_features"))
    last = len(faces) - 1
    np.testing.assert_array_equal(frames["face"], faces[[0, last // 2, last]])
    window = frames["audio"][1].reshape(16, 512)
    np.testing.assert_array_equal(window, vectors[last // 2 - 8 : last // 2 + 8])
    assert not frames["audio"][0].reshape(16, 512)[:8].any()


def test_a_batch_repeats_them(settings):
    """A batch larger than the frames has them in turn."""
    frames = clip_frames(settings, 2)
    batch = repeated(frames, 5)
    assert [len(array) for array in batch.values()] == [5, 5]
    np.testing.assert_array_equal(batch["face"], frames["face"][[0, 1, 0, 1, 0]])
