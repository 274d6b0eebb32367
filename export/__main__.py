"""``python -m export``: a person's trained network and clip, to models that Triton serves."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from export.contract import PRECISIONS
from export.errors import BadSource, ExportError
from export.footage.clip import Footage
from export.footage.dataset import open_dataset
from export.footage.detect import MediaPipeFaceFinder
from export.footage.marked_video import open_video_with_landmarks
from export.footage.package import open_package
from export.footage.talking import features_reader, open_talking_video
from export.hearing_cli import add_audio_encoder, add_compact, add_features
from export.network.compact import write_model
from export.network.encoder_weights import find_encoder, load_speech_model
from export.network.weights import find_checkpoint, load_served_model
from export.repository.avatar import Avatar, check_name, write_avatar
from export.repository.contact_sheet import CONTACT_SHEET
from export.repository.entries import write_entries
from export.serving_cli import add_serving_options, add_strategies, add_tensorrt, serving_options
from speech.contract import AUDIO_SHAPES, EDGE_PADDINGS
from speech.errors import SpeechError


def main(argv: Sequence[str] | None = None, prog: str = "python -m export") -> int:
    """Run one command; return 0, or 1 after one sentence of error, or 130 after Ctrl-C."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # of a broken video, our sentence says all
    cv2.setLogLevel(0)
    args = _parser(prog).parse_args(argv)
    try:
        args.run(args)
    except (ExportError, SpeechError, OSError) as exc:
        # an OSError names its file: no permission, a full disk
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: nothing half-written stays behind", file=sys.stderr)
        return 130
    return 0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_avatar(commands.add_parser("avatar", help="import an avatar and write its models for Triton"))
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


def _add_avatar(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the avatar's name, and its Triton model's")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--dataset", type=Path, metavar="DIR", help="a training repository's dataset folder")
    source.add_argument(
        "--package", type=Path, metavar="DIR", help="a package of the predecessor (brings its weights)"
    )
    source.add_argument(
        "--video", type=Path, metavar="FILE", help="a video of a talking person; with --audio-encoder"
    )
    parser.add_argument(
        "--audio-encoder",
        type=Path,
        metavar="FILE",
        help=".onnx or .pth, from sound to feature vectors; with it the avatar can be spoken to "
        "(default: the one beside the checkpoint)",
    )
    parser.add_argument("--landmarks", type=Path, metavar="DIR", help="0.lms, 1.lms, …: 110 lines 'x y' each")
    parser.add_argument(
        "--audio-features", type=Path, metavar="FILE", help=".npy, one feature vector per frame"
    )
    parser.add_argument(
        "--checkpoint", type=Path, metavar="PATH", help=".pth, .onnx, or a folder of checkpoints"
    )
    parser.add_argument(
        "--edge-padding", choices=EDGE_PADDINGS, default="zeros", help="features past the clip's ends"
    )
    add_serving_options(parser)
    parser.add_argument(
        "--avatars", type=Path, default=Path("avatars"), metavar="DIR", help="default: avatars"
    )
    _add_model_repository(parser)
    _add_network_options(parser)
    parser.set_defaults(run=_import_avatar, parser=parser)


def _add_onnx(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help=".pth or a folder of checkpoints")
    parser.add_argument("output", type=Path, help="the .onnx file to write")
    add_compact(parser)
    _add_network_options(parser)
    parser.set_defaults(run=_export_onnx)


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--audio-mode",
        choices=AUDIO_SHAPES,
        default="ave",
        help="speech features of the network (default: ave)",
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="fp32", help="of weights and arithmetic (default: fp32)"
    )


def _add_model_repository(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model-repository",
        type=Path,
        default=Path("model_repository"),
        metavar="DIR",
        help="default: model_repository",
    )


def _import_avatar(args: argparse.Namespace) -> None:
    check_name(args.name)
    if args.audio_encoder and args.audio_mode != "ave":
        args.parser.error(f"--audio-encoder gives ave features, and this is --audio-mode {args.audio_mode}")
    footage = _open_footage(args)
    checkpoint: Path | None = args.checkpoint or footage.checkpoint
    if checkpoint is None:
        raise BadSource(Path(footage.name), "--checkpoint, as this source brings no weights", "none")
    encoder = _find_encoder(args, checkpoint)
    speech_model = load_speech_model(encoder) if encoder else None
    model = load_served_model(checkpoint, args.audio_mode, args.precision)
    avatar = Avatar(
        name=args.name,
        fps=footage.fps,
        frame_count=footage.frame_count,
        audio_mode=args.audio_mode,
        edge_padding=args.edge_padding,
        source=f"{footage.kind} {footage.name}",
        hears=speech_model is not None,
    )
    folder = args.avatars / args.name
    remarks = write_avatar(folder, avatar, footage, model, speech_model)
    models = write_entries(folder, args.model_repository, serving_options(args))
    print(f"{folder}: {avatar.frame_count} frames at {avatar.fps:g} fps, {avatar.audio_mode} features")
    for remark in remarks:
        print(f"{folder}: {remark.text}")
    if not footage.sound.size:
        print(f"{folder}: {footage.kind} {footage.name} comes without sound, so this avatar is silent")
    print(f"{folder}: {_hearing(avatar, encoder)}")
    print(f"{args.model_repository}: {', '.join(models)}")
    print(f"{folder / CONTACT_SHEET}: are the crops right?")


def _find_encoder(args: argparse.Namespace, checkpoint: Path) -> Path | None:
    """Return the audio encoder that makes an avatar able to hear; only ave networks have one."""
    if args.audio_mode != "ave":
        if args.audio_encoder:
            args.parser.error(
                f"--audio-encoder gives ave features, and this is --audio-mode {args.audio_mode}"
            )
        return None
    encoder: Path | None = args.audio_encoder or find_encoder(checkpoint)
    return encoder


def _hearing(avatar: Avatar, encoder: Path | None) -> str:
    """Say whether an avatar can be spoken to, and if not, why."""
    if encoder is not None:
        return f"can be spoken to, hearing with {encoder}"
    if avatar.audio_mode != "ave":
        return f"plays its clip, and cannot be spoken to: there is no live encoder for {avatar.audio_mode} features"
    return "plays its clip, and cannot be spoken to: that needs --audio-encoder, or an encoder beside the checkpoint"


def _open_footage(args: argparse.Namespace) -> Footage:
    if args.dataset:
        return open_dataset(args.dataset, args.audio_mode)
    if args.package:
        return open_package(args.package, args.audio_mode)
    return _open_video(args)


def _open_video(args: argparse.Namespace) -> Footage:
    if args.landmarks and args.audio_features:
        return open_video_with_landmarks(args.video, args.landmarks, args.audio_features, args.audio_mode)
    if not args.audio_encoder or args.landmarks or args.audio_features:
        args.parser.error("--video needs either --audio-encoder, or --landmarks and --audio-features")
    if args.checkpoint is None:
        args.parser.error("--video needs --checkpoint, as a video brings no weights")
    find_checkpoint(args.checkpoint)  # before the minutes that finding the face takes
    return open_talking_video(args.video, MediaPipeFaceFinder(), features_reader(args.audio_encoder))


def _export_onnx(args: argparse.Namespace) -> None:
    write_model(
        load_served_model(args.checkpoint, args.audio_mode, args.precision), args.output, args.compact
    )


if __name__ == "__main__":
    sys.exit(main())
