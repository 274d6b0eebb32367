"""``python -m demo.lip_sync``: does the demo's network follow speech it never heard?

The held-out sentences, said by the held-out voice, are drawn, heard by the demo's audio encoder and painted by its
U-Net; ``demo.quality`` compares. Then other voices speak, recorded from people or made of such recordings, and are
painted onto the same frames, as in live speech; ``demo.live`` compares. Exit status 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from demo.dataset import write_take
from demo.live import Followed, measure_followed, measure_in_noise
from demo.quality import KnownTake, Network, Quality, measure_quality, open_known_take, paint
from demo.recording import read_recording
from demo.weights import AUDIO_ENCODER_PATH, UNET_PATH
from export.network.encoder_weights import open_encoder
from speech.features import AudioEncoder

__all__ = [
    "NOISES",
    "TARGETS",
    "VOICES",
    "Heard",
    "Target",
    "draw_heldout",
    "is_followed",
    "main",
    "open_network",
    "write_contact_sheet",
]

SHEET_COLUMNS = 12
SHEET_FACE_PX = 160
SEED = 100
NOISE_STRIDE = 12
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


class Heard(NamedTuple):
    """A voice that was kept out of training, and what is promised of the lips that follow it.

    Attributes:
        recording: One of ``demo/recordings``.
        whose: The voice, in words.
        opening: Least correlation of painted and true opening.
        width: Least correlation of painted and true width.
        opened: Least and greatest mean opening, as a share of the true one.
    """

    recording: str
    whose: str
    opening: float
    width: float
    opened: tuple[float, float]


VOICES = (
    Heard("heldout", "espeak-ng, en-us+f3", 0.9, 0.9, (0.8, 1.1)),
    Heard("heldout_flite", "flite, rms", 0.78, 0.8, (0.8, 1.1)),
    Heard("heldout_festival", "festival, ked_diphone", 0.74, 0.64, (0.85, 1.1)),
    Heard("heldout_reader", "a LibriVox reader", 0.77, 0.69, (0.9, 1.1)),
)
"""What the networks that ship keep, which is less than was aimed at: ``MODEL_CARD.md`` has both."""

NOISES = ((-60.0, 0.05), (-50.0, 0.05), (-40.0, 0.05))
"""Level of a room's noise in dB, and the mean opening it may give at most; the mean in speech is 0.27."""


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
    met += list(_print_voices(take, network, encoder))
    met += list(_print_noises(take, network, encoder))
    return 0 if all(met) else 1


def is_followed(heard: Heard, got: Followed) -> bool:
    """Return whether the lips follow a voice as promised."""
    low, high = heard.opened
    return got.opening >= heard.opening and got.width >= heard.width and low <= got.opened <= high


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


def _print_voices(take: KnownTake, network: Network, encoder: AudioEncoder) -> Iterator[bool]:
    """Print a row for each voice, on frames of another moment; yield whether it is followed as promised."""
    print(f"{'on frames of another moment':24}  frames  opening          width            mean opening")
    for heard in VOICES:
        got = measure_followed(read_recording(heard.recording), take.faces[::-1], network, encoder)
        met = is_followed(heard, got)
        low, high = heard.opened
        promises = (
            f"{got.opening:.3f} >= {heard.opening:<5} {got.width:6.3f} >= {heard.width:<5} {got.opened:6.3f}"
        )
        print(f"  {heard.whose:26} {got.frames:4}  {promises} {low} to {high}   {'yes' if met else 'NO'}")
        yield met


def _print_noises(take: KnownTake, network: Network, encoder: AudioEncoder) -> Iterator[bool]:
    """Print the opening in rooms where nobody speaks; yield whether the mouth is as good as shut."""
    for level_db, most in NOISES:
        opening = measure_in_noise(take.faces[::NOISE_STRIDE], network, encoder, level_db)
        met = opening < most
        verdict = "yes" if met else "NO"
        print(f"  opening in a room's noise, {level_db:.0f} dB {opening:16.3f}   < {most:<6} {verdict}")
        yield met


def _print_row(target: Target, value: float) -> bool:
    met = target.is_met(value)
    print(f"  {target.name:42} {value:7.3f}   {target.wanted:8} {'yes' if met else 'NO'}")
    return met


if __name__ == "__main__":
    sys.exit(main())
