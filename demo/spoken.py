"""``python -m demo.spoken OUT_DIR``: speak the takes that the demo's networks learn to hear voices from.

No picture is drawn: a take is a folder with ``aud.wav`` and ``pose.npy``, as ``python -m training.hear`` takes them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
from tqdm import tqdm

from demo import cast
from demo.errors import DemoError
from demo.motion import FPS
from demo.visemes import mouth_poses
from demo.voices import Speech
from export.files import replacing_folder
from speech.contract import SAMPLE_RATE_HZ
from speech.wav import write_wav

__all__ = ["main", "write_spoken"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 1 after one sentence of error."""
    parser = argparse.ArgumentParser(prog="python -m demo.spoken", description=__doc__)
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="known_<i> and voice_<i> go here")
    parser.add_argument(
        "--voices", type=int, metavar="N", help="only the first N voices of either kind (default: all)"
    )
    arguments = parser.parse_args(argv)
    try:
        for name, speech in tqdm(_takes(arguments.voices), "speaking", unit="take", disable=None):
            write_spoken(arguments.out_dir / name, speech)
    except (DemoError, OSError) as exc:
        print(f"python -m demo.spoken: {exc}", file=sys.stderr)
        return 1
    return 0


def write_spoken(folder: Path, speech: Speech) -> None:
    """Write a take's folder, which replaces an older one when complete.

    Files: ``aud.wav``, 16 kHz mono; ``pose.npy``, (frames, 6) float32: the numbers of ``demo.pose.MouthPose``.

    Raises:
        UnknownPhoneme: If the speech holds a phoneme that has no mouth shape.
        OSError: If the disk refuses.
    """
    frames = len(speech.sound) * FPS // SAMPLE_RATE_HZ
    poses = mouth_poses(speech.phonemes, frames, FPS)
    with replacing_folder(folder) as draft:
        write_wav(draft / "aud.wav", speech.sound)
        np.save(draft / "pose.npy", np.array([astuple(pose) for pose in poses], np.float32))


def _takes(count: int | None) -> Iterator[tuple[str, Speech]]:
    for kind, spoken in (("known", cast.known), ("voice", cast.people)):
        for number, speech in enumerate(spoken(count), start=1):
            yield f"{kind}_{number}", speech


if __name__ == "__main__":
    sys.exit(main())
