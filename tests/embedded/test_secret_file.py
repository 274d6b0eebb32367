"""embedded/secret_file.py"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from embedded import EmbeddedConfig, Server, keep_secret_file, secret_file
from embedded.control import read_secret
from embedded.errors import SecretNotWritten
from tests.embedded.conftest import ROOT

CONFIG = EmbeddedConfig(model_repository=ROOT / "model_repository")
SERVER = Server("127.0.0.1", 8000, 8001, 8002, secret="a_secret-of-24-characters")


def test_file_of_a_running_triton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret lies in the file of the server's port while the block runs, and no longer."""
    monkeypatch.setattr(secret_file, "default_path", lambda port: tmp_path / f"{port}")
    with keep_secret_file(CONFIG, SERVER) as path:
        assert path == tmp_path / "8000"
        assert read_secret(path) == SERVER.secret
    assert not path.exists()


def test_given_file(tmp_path: Path) -> None:
    """A file that was given is the one to read, and stays."""
    given = tmp_path / "given"
    given.write_text(f"{SERVER.secret}\n")
    with keep_secret_file(dataclasses.replace(CONFIG, control_secret_file=given), SERVER) as path:
        assert path == given
    assert given.read_text() == f"{SERVER.secret}\n"


def test_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that nobody could learn is one sentence, which names the way out and not the secret."""
    monkeypatch.setattr(secret_file, "default_path", lambda _: tmp_path / "nowhere" / "secret")
    with pytest.raises(SecretNotWritten) as caught, keep_secret_file(CONFIG, SERVER):
        pass
    assert str(caught.value) == (
        f"expected to write Triton's secret to {tmp_path}/nowhere/secret, got: no such file or directory; "
        "--control-secret-file takes a file of yours"
    )
