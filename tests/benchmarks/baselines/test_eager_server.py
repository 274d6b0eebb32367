"""benchmarks/baselines/eager_server.py"""

from benchmarks.baselines.eager_server import EagerServer
from tests.conftest import Workspace


def test_one_frame(workspace: Workspace) -> None:
    """Four bytes of frame id become a JPEG."""
    server = EagerServer(workspace.avatars / "demo", 0.5)
    assert server.render((7).to_bytes(4, "little"), None)[:2] == b"\xff\xd8"
