"""Write files and folders whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["link_or_copy", "replacing_file", "replacing_folder"]


@contextlib.contextmanager
def replacing_folder(target: Path, workplace: Path | None = None) -> Iterator[Path]:
    """Lend a temporary folder beside ``target``, or in ``workplace``, and put it in its place when the block succeeds.

    An older ``target`` goes only when the new one is complete. On any exception, Ctrl-C included, the temporary
    folder is removed and ``target`` stays as it was.
    """
    with _temporary_folder(target, workplace or target.parent) as temporary:
        new, old = temporary / "new", temporary / "old"
        new.mkdir()
        yield new
        try:
            if target.exists():
                target.rename(old)
            new.rename(target)
        except BaseException:  # Ctrl-C between the two
            if old.exists() and not target.exists():
                old.rename(target)
            raise


@contextlib.contextmanager
def replacing_file(target: Path) -> Iterator[Path]:
    """Lend a temporary path beside ``target`` and put the file in its place when the block succeeds."""
    with _temporary_folder(target, target.parent) as temporary:
        new = temporary / target.name
        yield new
        new.replace(target)


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` a hard link to ``source``, or a copy where file systems differ."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextlib.contextmanager
def _temporary_folder(target: Path, workplace: Path) -> Iterator[Path]:
    """Lend a temporary folder in ``workplace``; parents made for ``target`` go again when the block fails."""
    made = [parent for parent in target.parents if not parent.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=workplace) as temporary:
            yield Path(temporary)
    except BaseException:
        for parent in made:
            with contextlib.suppress(OSError):  # another process may have put something there
                parent.rmdir()
        raise
