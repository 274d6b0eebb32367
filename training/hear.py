"""``python -m training.hear``: teaches trained networks to follow new voices, without pictures."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from export.errors import BadSource, ExportError, MissingExtra
from export.options import above_zero
from speech.errors import SpeechError
from training.options import add_budget, add_threads, add_width

__all__ = ["main"]

WAIST_FRAMES = 3000


def main(argv: Sequence[str] | None = None) -> int:
    """Teach; return 0, or 1 after one sentence of error. Ctrl-C ends the teaching, and what was learnt is written."""
    args = _parser().parse_args(argv)
    try:
        _teach(args)
    except (ExportError, SpeechError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.hear", description=__doc__)
    parser.add_argument(
        "voices",
        type=Path,
        nargs="+",
        metavar="SPOKEN_DIR",
        help="aud.wav and pose.npy (frames, P) float32: what is said, and what the mouth does",
    )
    parser.add_argument(
        "--known",
        type=Path,
        nargs="+",
        required=True,
        metavar="SPOKEN_DIR",
        help="the same, of voices that the networks follow already; they are taught again with the others",
    )
    parser.add_argument("--unet", type=Path, required=True, metavar="FILE.onnx", help="the trained U-Net 328")
    parser.add_argument(
        "--encoder", type=Path, required=True, metavar="FILE.onnx", help="the audio encoder trained with it"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="RUN_DIR", help="where the networks go")
    add_budget(parser, "teach")
    add_width(parser)
    parser.add_argument(
        "--opening-gain",
        type=above_zero,
        default=1.0,
        metavar="G",
        help="a pose's first number is asked for G times as large (default 1)",
    )
    parser.add_argument(
        "--weights",
        type=above_zero,
        nargs="+",
        metavar="W",
        help="how much each number of a pose counts (default: all the same)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all draws (default 0)")
    add_threads(parser)
    return parser


def _teach(args: argparse.Namespace) -> None:
    try:
        import numpy as np
        import torch

        from export.network.unfolding import load_exported
        from training.hearing import HearingConfig, teach
        from training.memory import keep_freed_memory
        from training.network import Speaker
        from training.run_folder import save_networks
        from training.schedule import Budget
        from training.spoken import SpokenCorpus, open_spoken
        from training.waist import learn_waist
    except ModuleNotFoundError as exc:
        raise MissingExtra("torch", "export") from exc
    keep_freed_memory()
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    speaker = Speaker(args.width)
    load_exported(speaker.unet, args.unet)
    load_exported(speaker.encoder, args.encoder)
    speaker.eval()
    known = [open_spoken(folder) for folder in args.known]
    takes = [*known, *(open_spoken(folder) for folder in args.voices)]
    count = takes[0].poses.shape[1]
    for folder, take in zip([*args.known, *args.voices], takes, strict=True):
        if take.poses.shape[1] != count:
            raise BadSource(
                folder, f"poses of {count} numbers, as in {args.known[0]}", str(take.poses.shape[1])
            )
    weights = tuple(args.weights or [1.0] * count)
    if len(weights) != count:
        raise BadSource(args.known[0], f"poses of {len(weights)} numbers, one for each weight", f"{count}")
    print(f"{len(takes)} takes, {sum(len(take.poses) for take in takes) / 25 / 60:.1f} min")
    waist = learn_waist(speaker, known, WAIST_FRAMES, rng)
    config = HearingConfig(
        budget=Budget(steps=args.steps, minutes=args.minutes),
        opening_gain=args.opening_gain,
        weights=weights,
        threads=args.threads,
    )
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    steps = teach(speaker, SpokenCorpus(takes, rng), waist, config, stop.is_set)
    with tqdm(steps, "teaching", unit="step", disable=None) as bar:
        for heard in bar:
            bar.set_postfix_str(f"{heard.stage}, loss {heard.loss:.3f}", refresh=False)
    save_networks(args.output, speaker)
    print(f"networks in {args.output}")


if __name__ == "__main__":
    sys.exit(main())
