"""Shared by the tests of the demo clip: one renderer, one written clip."""

from pathlib import Path

import pytest

from demo.clip import write_clip
from demo.face import FaceRenderer

CLIP_FRAMES = 25
CLIP_SIZE_PX = 256


@pytest.fixture(scope="session")
def renderer() -> FaceRenderer:
    return FaceRenderer(512)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 25 frames, 256 pixels wide."""
    folder = tmp_path_factory.mktemp("demo") / "made" / "clip"
    write_clip(folder, frames=CLIP_FRAMES, size_px=CLIP_SIZE_PX, quiet=True)
    return folder
