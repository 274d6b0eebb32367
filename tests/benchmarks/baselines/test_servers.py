"""benchmarks/baselines/litserve_server.py and ray_server.py, where their packages are installed"""

import pytest

from benchmarks.baselines.callers import other_server
from benchmarks.baselines.process import OTHER_SERVERS_PYTHON
from tests.conftest import Workspace


@pytest.mark.skipif(not OTHER_SERVERS_PYTHON.is_file(), reason="make build/baselines/bin/python")
@pytest.mark.parametrize("module", ["litserve_server", "ray_server"])
def test_other_servers(workspace: Workspace, module: str) -> None:
    """Each serves the same ONNX file, a frame a call."""
    folder = workspace.avatars / "demo"
    with other_server(module, folder, folder / "unet_cpu.onnx") as call:
        call()
