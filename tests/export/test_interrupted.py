"""An import that is stopped while it writes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import UNET_PATH, Clip
from tests.embedded.processes import wait_until
from tests.export.sources import tree


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_stays(tmp_path: Path, clip: Clip, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM in the midst of the frames removes all of them; the exit code is 130."""
    avatars = tmp_path / "avatars"
    command = [
        *(sys.executable, "-m", "export", "avatar", "anna", *clip.source_arguments),
        *("--checkpoint", UNET_PATH, "--avatars", avatars, "--model-repository", tmp_path / "models"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: list(avatars.glob(".anna-*/new/faces.npy")) or None)
        process.send_signal(number)
        _, said = process.communicate()
    assert said.endswith("\ninterrupted: nothing half-written stays behind\n")
    assert process.returncode == 130
    assert tree(tmp_path) == {}
