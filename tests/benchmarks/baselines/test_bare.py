"""benchmarks/baselines/bare.py"""

import numpy as np

from benchmarks.baselines.bare import bare_loop, frame_inputs
from tests.conftest import CLIP_FRAMES, Workspace


def test_inputs_are_the_avatars(workspace: Workspace) -> None:
    """A frame's inputs are its face and its speech window, as the frame lookup gives them."""
    folder = workspace.avatars / "demo"
    inputs, count = frame_inputs(folder)
    assert count == CLIP_FRAMES
    np.testing.assert_array_equal(inputs(7)["face"][0], np.load(folder / "faces.npy", mmap_mode="r")[7])
    assert inputs(7)["audio"].shape == (1, 32, 16, 16)


def test_loop_runs(workspace: Workspace) -> None:
    """The loop computes a frame a call."""
    folder = workspace.avatars / "demo"
    bare_loop(folder / "unet_cpu.onnx", folder, 1)()
