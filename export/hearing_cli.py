"""The commands about speech features: ``features`` and ``audio-encoder``."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from export.errors import MissingExtra
from export.files import replacing_file
from export.network.compact import write_model
from export.network.encoder_weights import open_encoder
from speech.features import extract_features
from speech.wav import read_speech

__all__ = ["add_audio_encoder", "add_compact", "add_features"]


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
    vectors = extract_features(read_speech(args.wav), open_encoder(args.encoder), args.wav)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(args.output) as new, new.open("wb") as file:
        np.save(file, vectors)
    print(f"wrote {args.output}: {vectors.shape[0]} vectors of {vectors.shape[1]}")


def _run_audio_encoder(args: argparse.Namespace) -> None:
    try:
        from export.network.audio_encoder import export_encoder, load_encoder
    except ModuleNotFoundError as exc:
        raise MissingExtra("torch", "export") from exc
    write_model(export_encoder(load_encoder(args.checkpoint)), args.output, args.compact)
