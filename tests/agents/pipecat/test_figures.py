"""tests/agents/pipecat/figures.py"""

from __future__ import annotations

import re

import pytest

from tests.agents.conftest import Running
from tests.agents.pipecat import figures


def test_nothing_leaks_is_lost_or_drifts(bridge: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """A short run measures the service beside the still picture, finds nothing wrong, and says so by its status."""
    assert figures.main(["--url", bridge.url, "--trials", "2", "--minutes", "0.05"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^first_picture_ms +\d+\.\d, \d+\.\d +\d+\.\d, \d+\.\d$", shown, re.MULTILINE)
    assert re.search(r"^leaked_samples, 2 trials +0$", shown, re.MULTILINE)
    assert re.search(r"^drift_samples, 75 pictures in \d+ s +0$", shown, re.MULTILINE)
    assert re.search(r"^lost_samples, 0.05 minutes +0$", shown, re.MULTILINE)
