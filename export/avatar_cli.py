"""The command ``avatar``: from what a person brings to an avatar's folder and its models."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from export.contract import PRECISIONS, RESIZINGS, Geometry
from export.errors import BadMode, BadSource
from export.footage.clip import Footage, Remark
from export.footage.dataset import open_dataset
from export.footage.detect import MediaPipeFaceFinder
from export.footage.feature_files import FILE_NAMES, find_modes, modes_of
from export.footage.livetalking import open_livetalking
from export.footage.marked_video import open_video_with_landmarks
from export.footage.package import WEIGHTS_FOLDER, open_package
from export.footage.private_copy import check_links, private_copy
from export.footage.talking import features_reader, open_talking_video
from export.network.encoder_weights import find_encoder, load_speech_model
from export.network.kinds import Kind, choose_kind
from export.network.weights import find_kinds, load_served_model
from export.options import above_zero
from export.repository.avatar import Avatar, check_name, write_avatar
from export.repository.contact_sheet import CONTACT_SHEET
from export.repository.entries import write_entries
from export.repository.names import check_free
from export.serving_cli import add_folders, add_serving_options, serving_options
from speech.contract import EDGE_PADDINGS, VECTOR_SHAPES

__all__ = ["add_avatar", "add_network_options"]


def add_avatar(parser: argparse.ArgumentParser) -> None:
    """Describe ``avatar``: the import of an avatar."""
    parser.add_argument("name", help="the avatar's name, and its Triton model's")
    _add_source(parser)
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
        "--fps",
        type=above_zero,
        metavar="N",
        help="pictures per second, 1 to 60, of a clip that is no video (default: what a package says; "
        "a dataset of wenet features 20, others 25)",
    )
    parser.add_argument(
        "--resizing",
        choices=RESIZINGS,
        help="how crops are brought to the network's size (default: as its training repository does: "
        "U-Net 328 cubic, U-Net 160 area, which before May 2026 was linear)",
    )
    parser.add_argument(
        "--edge-padding", choices=EDGE_PADDINGS, default="zeros", help="features past the clip's ends"
    )
    _add_care(parser)
    add_serving_options(parser)
    add_folders(parser)
    add_network_options(parser)
    parser.set_defaults(run=_import_avatar, parser=parser)


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Describe what a checkpoint does not say of itself."""
    parser.add_argument(
        "--audio-mode",
        choices=VECTOR_SHAPES,
        help="speech features of the network (default: what the weights fit; where they fit ave and hubert alike, "
        "those that came with the clip, else ave)",
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="fp32", help="of weights and arithmetic (default: fp32)"
    )


def _add_care(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--below",
        type=Path,
        metavar="DIR",
        help="a folder above the package; others may write below it: no link is followed there, and a copy is read",
    )
    parser.add_argument(
        "--no-replace",
        action="store_true",
        help="refuse the name of an avatar or model that was not made, with --below, of the same package",
    )


def _add_source(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--dataset", type=Path, metavar="DIR", help="a training repository's dataset folder")
    source.add_argument(
        "--package", type=Path, metavar="DIR", help="a package of the predecessor (brings its weights)"
    )
    source.add_argument(
        "--livetalking",
        type=Path,
        metavar="DIR",
        help="an ultralight avatar of LiveTalking (brings its weights)",
    )
    source.add_argument(
        "--video", type=Path, metavar="FILE", help="a video of a talking person; with --audio-encoder"
    )


def _import_avatar(args: argparse.Namespace) -> None:
    check_name(args.name)
    _check_options(args)
    if args.no_replace:
        check_free(args.avatars / args.name, args.model_repository, _origin(args))
    if args.below:
        with private_copy(args.below, args.package, args.avatars / args.name) as copy:
            _import(argparse.Namespace(**{**vars(args), "package": copy}), _origin(args))
        return
    for folder in (args.package, args.livetalking):
        if folder:
            check_links(folder)
    _import(args)


def _origin(args: argparse.Namespace) -> str | None:
    """Return what a package is called that a client had imported; no command line makes an avatar of such."""
    return f"client's package {args.package.relative_to(args.below)}" if args.below else None


def _import(args: argparse.Namespace, origin: str | None = None) -> None:
    checkpoint = args.checkpoint or _own_weights(args)
    kind = _choose_kind(args, checkpoint)
    geometry = replace(kind.geometry, resizing=args.resizing or kind.geometry.resizing)
    encoder = _find_encoder(args, kind, checkpoint)
    speech_model = load_speech_model(encoder) if encoder else None
    footage = _open_footage(args, kind.audio_mode, geometry)
    model = load_served_model(checkpoint, kind.audio_mode, args.precision)
    avatar = Avatar(
        name=args.name,
        fps=footage.fps,
        frame_count=footage.frame_count,
        audio_mode=kind.audio_mode,
        edge_padding=args.edge_padding,
        source=origin or f"{footage.kind} {footage.name}",
        hears=speech_model is not None,
        network=geometry.name,
        audio_window=kind.window,
        resizing=geometry.resizing,
        mask_rows=geometry.mask_rows,
        mask_columns=geometry.mask_columns,
    )
    folder = args.avatars / args.name
    remarks = write_avatar(folder, avatar, footage, model, speech_model)
    models = write_entries(folder, args.model_repository, serving_options(args))
    _report(folder, avatar, footage, remarks, encoder)
    print(f"{args.model_repository}: {', '.join(models)}")
    print(f"{folder / CONTACT_SHEET}: are the crops right?")


def _report(
    folder: Path, avatar: Avatar, footage: Footage, remarks: Sequence[Remark], encoder: Path | None
) -> None:
    clip = f"{avatar.frame_count} frames at {avatar.fps:g} fps"
    print(f"{folder}: {clip}, {avatar.audio_mode} features, {avatar.network}")
    for remark in remarks:
        print(f"{folder}: {remark.text}")
    if not footage.sound.size:
        print(f"{folder}: {footage.kind} {footage.name} comes without sound, so this avatar is silent")
    print(f"{folder}: {_hearing(avatar, encoder)}")


def _check_options(args: argparse.Namespace) -> None:
    """End with a usage message where options do not fit one another."""
    if args.fps and args.video:
        args.parser.error("--fps is for datasets and packages: a video says its rate itself")
    if args.below and not (args.package and args.package.is_relative_to(args.below)):
        args.parser.error("--below is for a --package that lies below that folder")
    if not args.video:
        return
    if args.landmarks and args.audio_features:
        return
    if not args.audio_encoder or args.landmarks or args.audio_features:
        args.parser.error("--video needs either --audio-encoder, or --landmarks and --audio-features")
    if args.checkpoint is None:
        args.parser.error("--video needs --checkpoint, as a video brings no weights")


def _own_weights(args: argparse.Namespace) -> Path:
    """Return the weights that came with the clip.

    Raises:
        BadSource: If it brings none.
    """
    if args.livetalking:
        return Path(args.livetalking)
    if args.package and (args.package / WEIGHTS_FOLDER).is_dir():
        return Path(args.package) / WEIGHTS_FOLDER
    source = args.dataset or args.package or args.video
    raise BadSource(Path(source.name), "--checkpoint, as this source brings no weights", "none")


def _choose_kind(args: argparse.Namespace, checkpoint: Path) -> Kind:
    """Return which network the weights are: where their shapes fit two audio modes, the clip's features decide.

    Raises:
        BadMode: If the clip has features of both.
    """
    kinds = find_kinds(checkpoint)
    if args.audio_mode is None and len(kinds) > 1:
        known = [kind.audio_mode for kind in kinds]
        found = [mode for mode in _modes_at_hand(args) if mode in known]
        if len(found) > 1:
            files = " and ".join(FILE_NAMES[mode] for mode in found)
            expected = f"--audio-mode {' or '.join(found)}, as the weights fit both and {files} are there"
            raise BadMode(checkpoint, expected, "none")
        return choose_kind(checkpoint, kinds, found[0] if found else None)
    return choose_kind(checkpoint, kinds, args.audio_mode)


def _modes_at_hand(args: argparse.Namespace) -> list[str]:
    """Return the audio modes of the features that come with the clip."""
    if args.audio_features:
        return modes_of(args.audio_features)
    if folder := args.dataset or args.package or args.livetalking:
        return find_modes(folder)
    return ["ave"]  # an audio encoder gives these


def _find_encoder(args: argparse.Namespace, kind: Kind, checkpoint: Path) -> Path | None:
    """Return the audio encoder that makes an avatar able to hear; only ave networks have one."""
    if kind.audio_mode != "ave":
        if args.audio_encoder:
            args.parser.error(f"--audio-encoder gives ave features, and this network hears {kind.audio_mode}")
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


def _open_footage(args: argparse.Namespace, audio_mode: str, geometry: Geometry) -> Footage:
    if args.dataset:
        return open_dataset(args.dataset, audio_mode, geometry, args.fps)
    if args.package:
        return open_package(args.package, audio_mode, geometry, args.fps)
    if args.livetalking:
        return open_livetalking(args.livetalking, audio_mode, geometry, args.fps)
    if args.landmarks:
        return open_video_with_landmarks(
            args.video, args.landmarks, args.audio_features, audio_mode, geometry
        )
    return open_talking_video(args.video, MediaPipeFaceFinder(), features_reader(args.audio_encoder))
