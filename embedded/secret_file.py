"""The file that a running Triton's secret is found in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from embedded.command import Server
from embedded.config import EmbeddedConfig
from embedded.control import default_path, written
from embedded.errors import SecretNotWritten

__all__ = ["keep_secret_file"]


@contextlib.contextmanager
def keep_secret_file(config: EmbeddedConfig, server: Server) -> Iterator[Path]:
    """Yield the file that holds the secret while the block runs: the given one, else one that only we can read.

    Raises:
        SecretNotWritten: If there is none, and the system does not let us write one.
    """
    if config.control_secret_file is not None:
        yield config.control_secret_file
        return
    path = default_path(server.http_port)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(written(server.secret, path))
        except OSError as exc:
            raise SecretNotWritten(path, (exc.strerror or str(exc)).lower()) from exc
        yield path
