"""benchmarks/baselines/callers.py"""

from pathlib import Path

import pytest

from benchmarks.baselines import callers
from benchmarks.baselines.callers import eager, other_server
from benchmarks.errors import NotAvailable
from tests.conftest import Workspace


def test_eager(workspace: Workspace) -> None:
    """The predecessor's server starts, and gives a frame a call."""
    with eager(workspace.avatars / "demo", 0.5) as call:
        call()
        call()


def test_other_servers_are_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without their environment the other servers are skipped, with the command that makes it."""
    monkeypatch.setattr(callers, "OTHER_SERVERS_PYTHON", tmp_path / "python")
    with (
        pytest.raises(NotAvailable, match=r"litserve_server is skipped: expected .*: make "),
        other_server("litserve_server", tmp_path, tmp_path),
    ):
        pass
