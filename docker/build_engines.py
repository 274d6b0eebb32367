"""Build every avatar's TensorRT engine on the GPU of this container, into a model repository of its own.

The plain repository stays as it is, so that the ``cpu`` profile can serve the same volume.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from export.__main__ import main as export
from export.errors import ExportError
from export.files import replacing_file
from export.repository.entries import write_entries

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Build the engines; return 0, or 1 after one sentence of error."""
    args = _parser().parse_args(argv)
    folders = sorted(path.parent for path in args.avatars.glob("*/avatar.json"))
    if not folders:
        print(f"error: {args.avatars}: expected an imported avatar, got none", file=sys.stderr)
        return 1
    code = max(_build(folder, args.model_repository) for folder in folders)
    if code == 0 and args.ready_file:
        with replacing_file(args.ready_file) as path:
            path.write_text(f"{args.revision}\n", encoding="utf-8")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build_engines.py", description=__doc__)
    parser.add_argument("--avatars", type=Path, default=Path("/models/avatars"), metavar="DIR")
    parser.add_argument(
        "--model-repository", type=Path, default=Path("/models/model_repository_gpu"), metavar="DIR"
    )
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="written when all engines are built")
    parser.add_argument("--revision", default="", metavar="TEXT", help="what is written into it")
    return parser


def _build(avatar_folder: Path, model_repository: Path) -> int:
    """Run ``python -m export tensorrt`` for one avatar; return its exit code."""
    name = avatar_folder.name
    try:
        if not _is_written(avatar_folder, model_repository):
            write_entries(avatar_folder, model_repository)
    except (ExportError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    folders = ["--avatars", str(avatar_folder.parent), "--model-repository", str(model_repository)]
    return export(["tensorrt", name, *folders])


def _is_written(avatar_folder: Path, model_repository: Path) -> bool:
    """Tell whether the entries are of this very avatar: its frames are hard-linked there."""
    frames = model_repository / f"{avatar_folder.name}_frames" / "1" / "faces.npy"
    ensemble = model_repository / avatar_folder.name / "config.pbtxt"
    return ensemble.is_file() and frames.is_file() and frames.samefile(avatar_folder / "faces.npy")


if __name__ == "__main__":
    sys.exit(main())
