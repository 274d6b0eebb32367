"""Put avatars into the models volume, where they are missing or of another build, and say what is there.

The volume is laid out as a checkout is: ``avatars/`` and ``model_repository/``.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError
from export.files import replacing_file, replacing_folder
from export.repository.archive import Archive, fetch_avatar, read_archives
from export.repository.entries import write_entries

__all__ = ["main"]


class VolumeError(Exception):
    """Raised when the volume cannot be served from."""

    def __init__(self, volume: Path, expected: str, got: str) -> None:
        super().__init__(volume, expected, got)
        self.volume, self.expected, self.got = volume, expected, got

    def __str__(self) -> str:
        return f"models volume {self.volume}: expected {self.expected}, got {self.got}"


def main(argv: Sequence[str] | None = None) -> int:
    """Fill the volume; return 0, or 1 after one sentence of error."""
    args = _parser().parse_args(argv)
    try:
        if args.demo == "yes":
            _put_avatar(args.demo_avatar, args.volume)
        for archive in read_archives(args.fetch) if args.fetch else ():
            _fetch(archive, args.volume)
        print(f"{args.volume}: {', '.join(_avatars(args.volume))}", flush=True)
        if args.ready_file:
            with replacing_file(args.ready_file) as path:
                path.write_text(f"{args.revision}\n", encoding="utf-8")
    except (ExportError, VolumeError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fill_models.py", description=__doc__)
    parser.add_argument("--volume", type=Path, default=Path("/models"), metavar="DIR")
    parser.add_argument("--demo-avatar", type=Path, default=Path("/opt/avatars/demo"), metavar="DIR")
    parser.add_argument("--demo", choices=("yes", "no"), default="yes", help="put the demo avatar there")
    parser.add_argument(
        "--fetch",
        type=Path,
        metavar="FILE",
        help="NAME URL SHA256 in each line: tar archives of avatars' folders",
    )
    parser.add_argument(
        "--ready-file", type=Path, metavar="FILE", help="written when the volume can be served from"
    )
    parser.add_argument("--revision", default="", metavar="TEXT", help="what is written into it")
    return parser


def _put_avatar(source: Path, volume: Path) -> None:
    """Copy an avatar and write its models, unless the very same one is there.

    Raises:
        VolumeError: If this user cannot write there.
    """
    folder, model_repository = volume / "avatars" / source.name, volume / "model_repository"
    if _same_files(source, folder) and (model_repository / source.name / "config.pbtxt").is_file():
        return
    try:
        with replacing_folder(folder) as new:
            shutil.copytree(source, new, dirs_exist_ok=True)
        write_entries(folder, model_repository)
    except OSError as exc:
        raise _not_writable(volume, exc) from exc


def _fetch(archive: Archive, volume: Path) -> None:
    """Fetch an avatar into the volume, unless it is there.

    Raises:
        ExportError: If the archive is not what it should be.
        VolumeError: If this user cannot write there.
    """
    try:
        if fetch_avatar(archive, volume / "avatars", volume / "model_repository"):
            print(f"fetched {archive.name}", flush=True)
    except OSError as exc:
        raise _not_writable(volume, exc) from exc


def _not_writable(volume: Path, exc: OSError) -> VolumeError:
    expected = f"one that user {os.getuid()} can write to"
    return VolumeError(volume, expected, (exc.strerror or str(exc)).lower())


def _same_files(source: Path, folder: Path) -> bool:
    """Compare by size and time of change, which copies keep; where those differ, by content."""
    names = [path.name for path in source.iterdir()]
    return len(filecmp.cmpfiles(source, folder, names)[0]) == len(names)


def _avatars(volume: Path) -> list[str]:
    """Return the names of the avatars that can be served.

    Raises:
        VolumeError: If there are none.
    """
    configs = (volume / "model_repository").glob("*_frames/config.pbtxt")
    names = sorted(path.parent.name.removesuffix("_frames") for path in configs)
    if not names:
        raise VolumeError(volume, "an imported avatar in it (LIPSYNC_DEMO=yes puts the demo there)", "none")
    return names


if __name__ == "__main__":
    sys.exit(main())
