"""Who may control a Triton's models: whoever presents the secret that is made at its start.

Loading a model runs its code, and Triton takes a model in the body of a load from anybody who reaches its ports, a web
page in a browser of this machine included. Inference, health, metadata and statistics stay open to everybody.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "GRPC_METADATA",
    "HTTP_HEADER",
    "VARIABLE",
    "default_path",
    "make_secret",
    "read_secret",
    "restrictions",
    "written",
]

HTTP_HEADER = "lipsync-secret"
GRPC_METADATA = f"triton-grpc-protocol-{HTTP_HEADER}"
VARIABLE = "TRITON_CONTROL_SECRET_FILE"
RESTRICTED = "model-repository,shared-memory,trace,logging"
SECRET = re.compile(r"[\w-]{16,}", re.ASCII)


def make_secret() -> str:
    """Return a new secret: 43 letters, digits, ``-`` and ``_``."""
    return secrets.token_urlsafe(32)


def read_secret(path: Path) -> str:
    """Return the secret that a file holds, without the white space around it.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it holds anything else than a secret; the sentence does not say what.
    """
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if not SECRET.fullmatch(text):
        raise ValueError(f"{path}, with {len(text)} characters of any kind in it")
    return text


def restrictions(secret: str) -> list[str]:
    """Return the arguments that make ``tritonserver`` ask for the secret, over HTTP and over gRPC."""
    return [
        f"--{option}={RESTRICTED}:{HTTP_HEADER}={secret}"
        for option in ("http-restricted-api", "grpc-restricted-protocol")
    ]


def default_path(http_port: int) -> Path:
    """Return where the secret of the Triton on a port is written: into memory, never onto a disk."""
    return Path(f"/dev/shm/triton-{http_port}.secret")


@contextlib.contextmanager
def written(secret: str, path: Path) -> Iterator[None]:
    """Keep the secret in a file that only its owner can read, while the block runs.

    A file of a killed server is replaced.

    Raises:
        OSError: If the file cannot be written, as one of another user's cannot.
    """
    _write(secret, path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _write(secret: str, path: Path) -> None:
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW  # never into what somebody else prepared
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="ascii") as file:
        file.write(f"{secret}\n")
