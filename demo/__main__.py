"""``python -m demo CLIP_DIR``: draw the demo character's clip."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from demo.clip import write_clip
from demo.errors import DemoError, InvalidSetting

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 1 not written, 2 bad arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="Draw a short clip of a speaking character, with its landmarks."
    )
    parser.add_argument("clip_dir", type=Path, metavar="CLIP_DIR", help="the folder to make")
    parser.add_argument(
        "--frames", type=int, default=150, help="length at 25 frames per second (default 150)"
    )
    parser.add_argument("--size", type=int, default=512, help="width and height in pixels (default 512)")
    arguments = parser.parse_args(argv)
    try:
        write_clip(arguments.clip_dir, frames=arguments.frames, size_px=arguments.size)
    except DemoError as exc:
        print(f"python -m demo: {exc}", file=sys.stderr)
        return 2 if isinstance(exc, InvalidSetting) else 1
    print(f"wrote {arguments.clip_dir}: {arguments.frames} frames, {arguments.size}x{arguments.size}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
