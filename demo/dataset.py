"""``python -m demo.dataset OUT_DIR``: draw the demo character's dataset folders, for training and for serving.

Each folder is one take, in the shape that training repositories use, and ``mouth.npy``, the truth that only
measurements read. With an audio encoder, it can be imported as an avatar.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from demo import script
from demo.errors import DemoError
from demo.face import FaceRenderer
from demo.geometry import mouth_size
from demo.landmarks import landmarks
from demo.motion import FPS, poses
from demo.pose import Pose
from demo.recording import NAMES, read_recording
from demo.visemes import mouth_poses
from demo.voices import Speech
from export.errors import ExportError
from export.files import replacing_folder
from export.footage.feature_files import FILE_NAMES
from export.network.encoder_weights import open_encoder
from export.options import above_zero, at_least
from speech.contract import SAMPLE_RATE_HZ
from speech.errors import SpeechError
from speech.features import AudioEncoder, extract_features
from speech.wav import FULL_SCALE, write_wav

__all__ = ["main", "write_take"]

TAKES = ("served", "train", "heldout", "all")
SIZE_PX = 512
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
_CHUNK_FRAMES = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 1 not written."""
    parser = argparse.ArgumentParser(prog="python -m demo.dataset", description=__doc__)
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="where the dataset folders go")
    parser.add_argument("--take", choices=TAKES, default="all", help="default: all")
    parser.add_argument(
        "--seconds",
        type=above_zero,
        default=script.TRAINING_SECONDS,
        metavar="S",
        help="of training speech (default %(default)s)",
    )
    parser.add_argument(
        "--processes",
        type=at_least(1),
        default=os.cpu_count() or 1,
        metavar="N",
        help="default: one for each core",
    )
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="DIR",
        help="training takes of python -m demo.recording, already spoken",
    )
    parser.add_argument(
        "--audio-encoder", type=Path, metavar="FILE", help=".onnx or .pth: write aud_ave.npy, too"
    )
    arguments = parser.parse_args(argv)
    try:
        encoder = open_encoder(arguments.audio_encoder) if arguments.audio_encoder else None
        for name, speech in _chosen(arguments):
            seed = zlib.crc32(name.encode())
            write_take(
                arguments.out_dir / name, speech, seed=seed, processes=arguments.processes, encoder=encoder
            )
    except (DemoError, ExportError, SpeechError, OSError) as exc:
        print(f"python -m demo.dataset: {exc}", file=sys.stderr)
        return 1
    return 0


def write_take(
    folder: Path,
    speech: Speech,
    *,
    seed: int,
    processes: int = 1,
    quiet: bool = False,
    encoder: AudioEncoder | None = None,
) -> None:
    """Draw a take and write its dataset folder, which replaces an older one when complete.

    Files: ``full_body_img/<i>.jpg``, 512x512; ``landmarks/<i>.lms``, 110 lines ``x y``; ``aud.wav``, 16 kHz mono;
    ``mouth.npy``, (frames, 3) float32: opening, width and rounding (``demo.geometry.mouth_size``); with an encoder
    ``aud_ave.npy``, float32 vectors of 512, one a frame, give or take two.

    Args:
        folder: The folder.
        speech: What is said; the take is as long as its sound, in whole frames.
        seed: Which blinks and head movements to make.
        processes: How many draw at the same time.
        quiet: Whether to show no progress bar.
        encoder: Computes the features; without one there are none.

    Raises:
        UnknownPhoneme: If the speech holds a phoneme that has no mouth shape.
        OSError: If the disk refuses.
    """
    frames = len(speech.sound) * FPS // SAMPLE_RATE_HZ
    sequence = poses(mouth_poses(speech.phonemes, frames, FPS), seed)
    with replacing_folder(folder) as draft:
        (draft / "full_body_img").mkdir()
        (draft / "landmarks").mkdir()
        write_wav(draft / "aud.wav", speech.sound)
        if encoder:
            samples = speech.sound / np.float32(FULL_SCALE)
            np.save(draft / FILE_NAMES["ave"], extract_features(samples, encoder, folder))
        np.save(draft / "mouth.npy", np.array([mouth_size(pose.mouth) for pose in sequence], np.float32))
        done = _drawn(draft, sequence, processes)
        for _ in tqdm(done, f"drawing {folder.name}", len(sequence), unit="frame", disable=quiet or None):
            pass


def _chosen(arguments: argparse.Namespace) -> Iterator[tuple[str, Speech]]:
    """Yield name and speech of each take asked for."""
    for name in NAMES:
        if arguments.take in (name, "all"):
            yield name, read_recording(name)
    if arguments.take in ("train", "all"):
        spoken = _spoken(arguments.recordings) if arguments.recordings else script.training(arguments.seconds)
        for number, speech in enumerate(spoken, start=1):
            yield f"train_{number}", speech


def _spoken(folder: Path) -> list[Speech]:
    count = len(list(folder.glob("train_*.wav")))
    return [read_recording(f"train_{number}", folder) for number in range(1, max(1, count) + 1)]


def _drawn(folder: Path, sequence: Sequence[Pose], processes: int) -> Iterator[None]:
    """Write picture and landmarks of each pose; yield after each."""
    work = partial(_draw, folder)
    if processes == 1:
        yield from itertools.starmap(work, enumerate(sequence))
        return
    # Not by a fork: OpenCV's threads would not be there in the copy.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from pool.map(work, range(len(sequence)), sequence, chunksize=_CHUNK_FRAMES)


def _draw(folder: Path, index: int, pose: Pose) -> None:
    path = folder / "full_body_img" / f"{index}.jpg"
    if not cv2.imwrite(str(path), _renderer().draw(pose), _JPEG):
        raise OSError(f"could not write {path}")
    lines = (f"{int(x)} {int(y)}\n" for x, y in landmarks(pose, SIZE_PX))
    (folder / "landmarks" / f"{index}.lms").write_text("".join(lines), encoding="utf-8")


@lru_cache(maxsize=1)
def _renderer() -> FaceRenderer:
    return FaceRenderer(SIZE_PX)


if __name__ == "__main__":
    sys.exit(main())
