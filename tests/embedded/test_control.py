"""embedded/control.py"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from embedded import control
from embedded.control import default_path, make_secret, read_secret, restrictions, written

SECRET = "a_secret-of-24-characters"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secret"


def test_secrets_differ() -> None:
    """No secret is that of the start before, and each is one that a file may hold."""
    secrets = {make_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(control.SECRET.fullmatch(secret) for secret in secrets)


def test_only_the_owner_reads_the_file(path: Path) -> None:
    """The file has mode 0600, whatever the umask; it holds the secret, and goes with the block."""
    before = os.umask(0)
    try:
        with written(SECRET, path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert read_secret(path) == SECRET
    finally:
        os.umask(before)
    assert not path.exists()


def test_a_file_that_somebody_prepared(path: Path, tmp_path: Path) -> None:
    """What lies at the path is replaced, and a link is not followed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    path.symlink_to(elsewhere)
    with written(SECRET, path):
        assert read_secret(path) == SECRET
    assert elsewhere.read_text() == "untouched"


@pytest.mark.parametrize("text", ["", "fifteen-letters", "a secret of several words", f"{SECRET},trace:a=b"])
def test_no_secret(path: Path, text: str) -> None:
    """What is short, or could end Triton's argument, is no secret, and is not repeated in the sentence."""
    path.write_text(f"{text}\n")
    sentence = f"{path}, with {len(text)} characters of any kind in it"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        read_secret(path)


def test_restrictions() -> None:
    """Loading, shared memory, tracing and logging ask for the secret, over HTTP and over gRPC."""
    guarded = "model-repository,shared-memory,trace,logging"
    assert restrictions(SECRET) == [
        f"--http-restricted-api={guarded}:lipsync-secret={SECRET}",
        f"--grpc-restricted-protocol={guarded}:lipsync-secret={SECRET}",
    ]


def test_default_path() -> None:
    """Each Triton of a machine has a file of its own, in memory."""
    assert default_path(8000) == Path("/dev/shm/triton-8000.secret")
    assert default_path(8010) != default_path(8000)
