"""``python -m training``: trains an audio encoder and a U-Net on dataset folders."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError, MissingExtra
from export.options import at_least
from speech.errors import SpeechError
from training.options import add_budget, add_threads, add_width

__all__ = ["main"]


def main(argv: Sequence[str] | None = None, prog: str = "python -m training") -> int:
    """Train; return 0, or 1 after one sentence of error, or 130 after a second Ctrl-C."""
    args = _parser(prog).parse_args(argv)
    try:
        _train(args)
    except (ExportError, SpeechError, OSError) as exc:
        # an OSError names its file: no permission, a full disk
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: the last state that was written stays", file=sys.stderr)
        return 130
    return 0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "datasets",
        type=Path,
        nargs="+",
        metavar="DATASET_DIR",
        help="full_body_img/<i>.jpg, landmarks/<i>.lms, aud.wav; several are recordings of one person",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="RUN_DIR", help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN_DIR")
    add_budget(parser, "train")
    add_width(parser)
    parser.add_argument(
        "--batch-size", type=at_least(1), default=8, metavar="B", help="frames per step (default 8)"
    )
    parser.add_argument(
        "--encoder",
        type=Path,
        metavar="FILE",
        help="trained audio encoder to begin with; the first stage is left out",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights and draws (default 0)")
    add_threads(parser)

    return parser


def _train(args: argparse.Namespace) -> None:
    try:
        from training.memory import keep_freed_memory
        from training.run import RunConfig, train
        from training.schedule import Budget
        from training.trainer import SHARES, SHARES_WITH_ENCODER, TrainerConfig
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


if __name__ == "__main__":
    sys.exit(main())
