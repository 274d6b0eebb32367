"""The commands that train, and that use what was trained to hear: ``train``, ``features``, ``audio-encoder``."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from pathlib import Path

import numpy as np

from export.compact import write_model
from export.errors import MissingExtra
from export.files import replacing_file
from export.speech import extract_features, open_encoder

__all__ = ["add_audio_encoder", "add_compact", "add_features", "add_train"]


def add_features(parser: argparse.ArgumentParser) -> None:
    """Describe ``features``: speech features of a WAV file."""
    parser.add_argument("wav", type=Path, metavar="WAV", help="speech: PCM, any rate; silence is refused")
    parser.add_argument(
        "--encoder", type=Path, required=True, metavar="FILE", help="an AVE audio encoder, .pth or .onnx"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="where the vectors go (aud_ave.npy)"
    )
    parser.set_defaults(run=_run_features)


def add_train(parser: argparse.ArgumentParser) -> None:
    """Describe ``train``: an audio encoder and a U-Net from dataset folders."""
    parser.add_argument(
        "datasets",
        type=Path,
        nargs="+",
        metavar="DATASET_DIR",
        help="full_body_img/<i>.jpg, landmarks/<i>.lms, aud.wav; several are takes of one person",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="RUN_DIR", help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN_DIR")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=_positive(int), metavar="N", help="train for so many steps")
    budget.add_argument("--minutes", type=_positive(float), metavar="M", help="train for so many minutes")
    parser.add_argument(
        "--width", type=float, choices=(0.5, 1.0), default=0.5, help="of the U-Net (default 0.5)"
    )
    parser.add_argument(
        "--batch-size", type=_positive(int), default=8, metavar="B", help="frames per step (default 8)"
    )
    parser.add_argument(
        "--encoder",
        type=Path,
        metavar="FILE",
        help="audio encoder weights to begin with; it needs no listening stage of its own",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights and draws (default 0)")
    parser.add_argument(
        "--threads",
        type=_positive(int),
        default=os.cpu_count(),
        metavar="N",
        help="default: one for each core",
    )
    parser.set_defaults(run=_run_train)


def add_audio_encoder(parser: argparse.ArgumentParser) -> None:
    """Describe ``audio-encoder``: an audio encoder as ONNX."""
    parser.add_argument("checkpoint", type=Path, help="weights of an AVE audio encoder, .pth")
    parser.add_argument("output", type=Path, help="the .onnx file to write")
    add_compact(parser)
    parser.set_defaults(run=_run_audio_encoder)


def add_compact(parser: argparse.ArgumentParser) -> None:
    """Describe ``--compact``."""
    parser.add_argument(
        "--compact",
        action="store_true",
        help="store weights as float16, half the size; loaded, they are float32 again",
    )


def _run_features(args: argparse.Namespace) -> None:
    vectors = extract_features(args.wav, open_encoder(args.encoder))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(args.output) as new, new.open("wb") as file:
        np.save(file, vectors)
    print(f"wrote {args.output}: {vectors.shape[0]} vectors of {vectors.shape[1]}")


def _run_audio_encoder(args: argparse.Namespace) -> None:
    try:
        from export.audio_encoder import export_encoder, load_encoder
    except ModuleNotFoundError as exc:
        raise MissingExtra("torch", "export") from exc
    write_model(export_encoder(load_encoder(args.checkpoint)), args.output, args.compact)


def _run_train(args: argparse.Namespace) -> None:
    try:
        from export.train.memory import keep_freed_memory
        from export.train.run import RunConfig, train
        from export.train.schedule import Budget
        from export.train.trainer import SHARES, SHARES_WITH_ENCODER, TrainerConfig
    except ModuleNotFoundError as exc:
        raise MissingExtra("torch", "export") from exc
    trainer = TrainerConfig(
        width=args.width,
        batch_size=args.batch_size,
        budget=Budget(steps=args.steps, minutes=args.minutes),
        threads=args.threads,
        shares=SHARES_WITH_ENCODER if args.encoder else SHARES,
    )
    config = RunConfig(
        datasets=tuple(args.datasets),
        output=args.output,
        trainer=trainer,
        seed=args.seed,
        resume=args.resume,
        encoder=args.encoder,
    )
    keep_freed_memory()
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: _stop(stop))
    train(config, stop.is_set)


def _stop(stop: threading.Event) -> None:
    """Let the step in progress finish at the first Ctrl-C; a second one ends at once."""
    stop.set()
    signal.signal(signal.SIGINT, signal.default_int_handler)


class _positive:
    """An argparse type: a number above zero."""

    def __init__(self, kind: type[int] | type[float]) -> None:
        self.kind = kind
        self.__name__ = f"positive {kind.__name__}"

    def __call__(self, text: str) -> float:
        value = self.kind(text)
        if not value > 0:
            raise ValueError(text)
        return value
