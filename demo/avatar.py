"""``python -m demo.avatar``: put the demo avatar into ``avatars/`` and ``model_repository/`` of the current folder."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from demo import dataset
from demo.weights import AUDIO_ENCODER_PATH, UNET_PATH
from export.__main__ import main as export

__all__ = ["NAME", "main"]

NAME = "demo"
TAKE = "served"
ENCODER = ("--audio-encoder", str(AUDIO_ENCODER_PATH))
"""Hears the clip's sound; imported with the avatar, it hears live speech too."""


def main() -> int:
    """Draw the take that is served and import it; return 0, or 1 after one sentence of error."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        drawn = dataset.main([folder, "--take", TAKE, *ENCODER])
        if drawn:
            return drawn
        source = ("--dataset", str(Path(folder, TAKE)), "--checkpoint", str(UNET_PATH))
        return export(["avatar", NAME, *source, *ENCODER])


if __name__ == "__main__":
    sys.exit(main())
