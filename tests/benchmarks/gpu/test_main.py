"""benchmarks/gpu/__main__.py"""

from pathlib import Path

import pytest

from benchmarks.gpu import __main__ as command
from benchmarks.site import Site


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
def test_up_to_the_first_step_that_needs_a_gpu(tmp_path, monkeypatch, capsys):
    """Engines are built, then one sentence says that there is no GPU, and no figure is written."""
    built = []
    monkeypatch.setattr(command, "prepare_site", lambda *_: Site(tmp_path, tmp_path))
    monkeypatch.setattr(command, "_build_engines", lambda *_, instances: built.append(instances))
    assert command.main(["--output", str(tmp_path / "results")]) == 1
    assert built == [2]
    assert capsys.readouterr().err.startswith("error: the GPU benchmark is skipped: no CUDA device")
    assert not (tmp_path / "results").exists()
