"""benchmarks/baselines/pipeline.py"""

from benchmarks.baselines.pipeline import Pipeline
from bridge.jpeg import jpeg_shape
from tests.conftest import Workspace


def test_one_frame(workspace: Workspace) -> None:
    """A frame id becomes a 256x256 JPEG; ids past the clip begin again."""
    folder = workspace.avatars / "demo"
    pipeline = Pipeline(folder, folder / "unet_cpu.onnx")
    jpeg = pipeline.render(1)
    assert "256" in str(jpeg_shape(memoryview(jpeg)))
    assert pipeline.render(61) == jpeg
