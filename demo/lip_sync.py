"""``python -m demo.lip_sync``: does the demo's network follow speech it never heard?

The held-out sentences, said by the held-out voice, are drawn, heard by the demo's audio encoder and painted by its
U-Net; ``demo.quality`` compares. Exit status 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from demo.dataset import write_take
from demo.quality import KnownTake, Network, Quality, measure_quality, open_known_take, paint
from demo.recording import read_recording
from demo.weights import AUDIO_ENCODER_PATH, UNET_PATH
from export.network.encoder_weights import open_encoder
from speech.features import AudioEncoder

__all__ = ["TARGETS", "Target", "draw_heldout", "main", "open_network", "write_contact_sheet"]

SHEET_COLUMNS = 12
SHEET_FACE_PX = 160
SEED = 100
JPEG = (cv2.IMWRITE_JPEG_QUALITY, 88)


class Target(NamedTuple):
    """One promise: what is measured, in words and as a number, and whether that is good enough."""

    name: str
    value: Callable[[Quality], float]
    wanted: str
    is_met: Callable[[float], bool]


TARGETS = (
    Target("opening, correlation with the truth", lambda q: q.opening, ">= 0.9", lambda v: v >= 0.9),
    Target("width, correlation with the truth", lambda q: q.width, ">= 0.8", lambda v: v >= 0.8),
    Target("PSNR in the mouth rectangle, dB", lambda q: q.psnr_db, ">= 30", lambda v: v >= 30),
    Target("best offset, frames", lambda q: q.lag_frames, "-1 to 1", lambda v: abs(v) <= 1),
    Target("opening in silence, share of its range", lambda q: q.silent, "< 0.1", lambda v: v < 0.1),
    Target("opening, shuffled sound", lambda q: q.shuffled, "< 0.3", lambda v: v < 0.3),
    Target("frames without a mouth", lambda q: q.unseen, "0", lambda v: v == 0),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 0, or 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m demo.lip_sync", description=__doc__)
    parser.add_argument("--unet", type=Path, default=UNET_PATH, metavar="FILE", help="the served ONNX file")
    parser.add_argument(
        "--audio-encoder", type=Path, default=AUDIO_ENCODER_PATH, metavar="FILE", help=".onnx or .pth"
    )
    parser.add_argument(
        "--contact-sheet",
        type=Path,
        metavar="FILE.jpg",
        help="write true and painted frames, one above the other",
    )
    args = parser.parse_args(argv)
    network, encoder = open_network(args.unet), open_encoder(args.audio_encoder)
    with tempfile.TemporaryDirectory() as folder:
        take = draw_heldout(Path(folder) / "heldout", encoder)
    if args.contact_sheet:
        write_contact_sheet(args.contact_sheet, take, network)
    quality = measure_quality(take, network, encoder)
    print(
        f"held-out voice and sentences, {quality.frames} frames; worst frame {quality.lowest_psnr_db:.1f} dB"
    )
    met = [_print_row(target, target.value(quality)) for target in TARGETS]
    return 0 if all(met) else 1


def draw_heldout(folder: Path, encoder: AudioEncoder) -> KnownTake:
    """Draw the held-out take into a dataset folder, with its speech features."""
    write_take(folder, read_recording("heldout"), seed=SEED, encoder=encoder)
    return open_known_take(folder)


def open_network(path: Path) -> Network:
    """Open a served U-Net in ONNX Runtime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def network(faces: NDArray[np.uint8], audio: NDArray[np.float32]) -> NDArray[np.uint8]:
        (images,) = session.run(["image"], {"face": faces, "audio": audio})
        return np.asarray(images, np.uint8)

    return network


def write_contact_sheet(path: Path, take: KnownTake, network: Network) -> None:
    """Write frames spread over a take: the true ones above, what the network paints below."""
    rows = np.linspace(0, len(take.faces) - 1, SHEET_COLUMNS + 2).astype(int)[1:-1]
    painted = list(paint(network, take.faces[rows], take.audio[rows]))
    strips = [np.concatenate([_shrunk(face) for face in row], axis=1) for row in (take.faces[rows], painted)]
    if not cv2.imwrite(str(path), np.concatenate(strips), JPEG):
        raise OSError(f"could not write {path}")


def _shrunk(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    small = cv2.resize(face, (SHEET_FACE_PX, SHEET_FACE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _print_row(target: Target, value: float) -> bool:
    met = target.is_met(value)
    print(f"  {target.name:42} {value:7.3f}   {target.wanted:8} {'yes' if met else 'NO'}")
    return met


if __name__ == "__main__":
    sys.exit(main())
