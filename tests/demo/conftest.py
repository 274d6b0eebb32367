"""Shared by the tests of the demo: one renderer."""

import pytest

from demo.face import FaceRenderer


@pytest.fixture(scope="session")
def renderer() -> FaceRenderer:
    return FaceRenderer(512)
