"""``python -m export``: a person's trained network and clip, to models that Triton serves."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2

from export.avatar_cli import add_avatar, add_network_options
from export.errors import ExportError
from export.hearing_cli import add_audio_encoder, add_compact, add_features
from export.network.compact import write_model
from export.network.weights import load_served_model
from export.serving_cli import add_strategies, add_tensorrt
from speech.errors import SpeechError


def main(argv: Sequence[str] | None = None, prog: str = "python -m export") -> int:
    """Run one command; return 0, or 1 after one sentence of error, or 130 after Ctrl-C or SIGTERM."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # of a broken video, our sentence says all
    cv2.setLogLevel(0)
    args = _parser(prog).parse_args(argv)
    try:
        with _sigterm_as_ctrl_c():
            args.run(args)
    except (ExportError, SpeechError, OSError) as exc:
        # an OSError names its file: no permission, a full disk
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except MemoryError:
        print("error: expected an import that fits into memory, got none left", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: nothing half-written stays behind", file=sys.stderr)
        return 130
    return 0


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Have SIGTERM undo what is half done, too; by itself it ends a process on the spot."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_avatar(commands.add_parser("avatar", help="import an avatar and write its models for Triton"))
    _add_onnx(
        commands.add_parser("onnx", help="export a checkpoint to the ONNX file that is served, and verify it")
    )
    add_strategies(commands.add_parser("strategies", help="write an avatar's deployment strategies anew"))
    add_tensorrt(
        commands.add_parser("tensorrt", help="build an avatar's TensorRT engines and serve from them")
    )
    add_features(commands.add_parser("features", help="compute the speech features of a WAV file"))
    add_audio_encoder(
        commands.add_parser("audio-encoder", help="export an audio encoder to ONNX, and verify it")
    )
    return parser


def _add_onnx(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help=".pth or a folder of checkpoints")
    parser.add_argument("output", type=Path, help="the .onnx file to write")
    add_compact(parser)
    add_network_options(parser)
    parser.set_defaults(run=_export_onnx)


def _export_onnx(args: argparse.Namespace) -> None:
    write_model(
        load_served_model(args.checkpoint, args.audio_mode, args.precision), args.output, args.compact
    )


if __name__ == "__main__":
    sys.exit(main())
