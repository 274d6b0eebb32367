"""Write folders whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["link_or_copy", "replacing_file", "replacing_folder"]


@contextlib.contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Lend a temporary folder beside ``target`` and put it in its place when the block succeeds.

    An older ``target`` goes only when the new one is complete. On any exception, Ctrl-C included, the temporary
    folder is removed and ``target`` stays as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        new.mkdir()
        yield new
        if target.exists():
            target.rename(old)
        new.rename(target)


@contextlib.contextmanager
def replacing_file(target: Path) -> Iterator[Path]:
    """Lend a temporary path beside ``target`` and put the file in its place when the block succeeds."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
        new = Path(temporary) / target.name
        yield new
        new.replace(target)


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` a hard link to ``source``, or a copy where file systems differ."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
