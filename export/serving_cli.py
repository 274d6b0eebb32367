"""How a network is served: the options every writer of configs takes, and the commands ``strategies``, ``tensorrt``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import onnx
from google.protobuf import text_format
from onnx import ModelProto
from tritonclient.grpc import model_config_pb2 as schema

from export.contract import MAX_BATCH_SIZE, PRECISIONS
from export.errors import BadSource
from export.files import replacing_file
from export.network.engine import BatchProfile, build_engine
from export.network.half import to_half
from export.network.resident import FACES_FILE, hold_faces
from export.options import at_least
from export.repository.avatar import SPEECH_FILE, WEIGHTS_FILE, Avatar, read_avatar
from export.repository.configs import HALF_FILE, JPEG_DEVICES, PLAN_FILES, ServingOptions
from export.repository.entries import write_serving

__all__ = ["add_folders", "add_serving_options", "add_strategies", "add_tensorrt", "serving_options"]

TIMING_CACHE = "timing.cache"


def add_serving_options(parser: argparse.ArgumentParser) -> None:
    """Add what a deployment chooses about its strategies."""
    parser.add_argument(
        "--instances", type=at_least(1), default=2, help="copies of the network where a strategy has several"
    )
    parser.add_argument(
        "--batch-sizes",
        type=_batch_sizes,
        default=(),
        metavar="N[,N…]",
        help="preferred batches where a strategy batches (default: whatever waits)",
    )
    parser.add_argument(
        "--queue-delay-us",
        type=at_least(0),
        default=0,
        metavar="US",
        help="how long a request may wait for others to join its batch (default: 0)",
    )
    parser.add_argument(
        "--threads",
        type=at_least(0),
        default=0,
        metavar="N",
        help="per instance on a CPU (default: cores divided by instances)",
    )
    parser.add_argument(
        "--gpus",
        type=_gpus,
        default=(),
        metavar="N[,N…]",
        help="GPUs to place instances on, on each as many as --instances (default: every GPU)",
    )
    parser.add_argument(
        "--lookup-instances",
        type=at_least(1),
        default=1,
        metavar="N",
        help="processes of the frame lookup, but for the strategy latency (default: 1)",
    )
    parser.add_argument(
        "--jpeg-instances",
        type=at_least(1),
        metavar="N",
        help="processes that make JPEGs, for all avatars together, but for the strategy latency (default: as many as "
        "there are, at first 1)",
    )
    parser.add_argument(
        "--jpeg-device",
        choices=JPEG_DEVICES,
        help="where JPEGs are made, for all avatars together (default: as it is, at first cpu)",
    )
    parser.add_argument(
        "--frames-in-network",
        action=argparse.BooleanOptionalAction,
        help="have the network hold the faces, so that none is copied to it for each frame (default: as it is, at "
        "first not)",
    )


def serving_options(
    args: argparse.Namespace, backend: str = "onnxruntime", resident: bool = False
) -> ServingOptions:
    """Return the serving options of parsed arguments; ``resident`` is where the faces are if they do not say."""
    return ServingOptions(
        backend=backend,
        instances=args.instances,
        batch_sizes=args.batch_sizes,
        queue_delay_us=args.queue_delay_us,
        threads=args.threads,
        gpus=args.gpus,
        lookup_instances=args.lookup_instances,
        jpeg_instances=args.jpeg_instances,
        jpeg_device=args.jpeg_device,
        frames_in_network=resident if args.frames_in_network is None else args.frames_in_network,
    )


def add_strategies(parser: argparse.ArgumentParser) -> None:
    """Describe ``strategies``: an avatar's config variants, written anew."""
    _add_avatar(parser)
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of the network on ONNX Runtime; fp16 is for GPUs (default: as it is, at first fp32)",
    )
    add_serving_options(parser)
    parser.set_defaults(run=_write_strategies)


def add_tensorrt(parser: argparse.ArgumentParser) -> None:
    """Describe ``tensorrt``: an avatar's engines."""
    _add_avatar(parser)
    parser.add_argument(
        "--optimum-batch", type=at_least(1), default=8, help="the batch size to optimise for (default: 8)"
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="fp16", help="of the engines (default: fp16)"
    )
    add_serving_options(parser)
    parser.set_defaults(run=_build_tensorrt)


def _add_avatar(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="an imported avatar")
    add_folders(parser)


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add where avatars and their models lie."""
    for option, folder in (("--avatars", "avatars"), ("--model-repository", "model_repository")):
        parser.add_argument(option, type=Path, default=Path(folder), metavar="DIR", help=f"default: {folder}")


def _write_strategies(args: argparse.Namespace) -> None:
    avatar, folder = _open(args)
    config = _served(folder)
    options = serving_options(args, config.backend, _is_resident(config))
    if config.backend == "tensorrt" and options.frames_in_network != _is_resident(config):
        expected = f"engines built so: python -m export tensorrt {avatar.name} with the same option"
        raise BadSource(folder, expected, "others, whose faces lie elsewhere")
    options = replace(options, precision=_precision(args, folder, config))
    write_serving(avatar, args.avatars / avatar.name, args.model_repository, options)
    half = ", fp16" if options.precision == "fp16" else ""
    print(f"{folder}: {args.instances} instances, {config.backend}{half}")


def _precision(args: argparse.Namespace, folder: Path, config: schema.ModelConfig) -> str:
    """Return what the network is to compute in on ONNX Runtime: as asked for, else as now."""
    if args.precision and config.backend == "tensorrt":
        expected = f"engines built so: python -m export tensorrt {args.name} --precision {args.precision}"
        raise BadSource(folder, expected, "a network that is served from engines")
    return str(args.precision or ("fp16" if config.default_model_filename == HALF_FILE else "fp32"))


def _build_tensorrt(args: argparse.Namespace) -> None:
    avatar, folder = _open(args)
    options = serving_options(args, "tensorrt", _is_resident(_served(folder)))
    model = onnx.load(args.avatars / args.name / WEIGHTS_FILE)
    model = to_half(model) if args.precision == "fp16" else model
    if options.frames_in_network:
        model = hold_faces(model, args.avatars / args.name / FACES_FILE)
    _build_plans(args, folder, model, args.precision)
    if avatar.hears:  # its logarithm spans more than float16 does
        speech_model = onnx.load(args.avatars / args.name / SPEECH_FILE)
        _build_plans(args, args.model_repository / f"{avatar.name}_speech", speech_model, "fp32")
    write_serving(avatar, args.avatars / avatar.name, args.model_repository, options)


def _served(folder: Path) -> schema.ModelConfig:
    """Return how a network is served now."""
    text = (folder / "config.pbtxt").read_text(encoding="utf-8")
    config: schema.ModelConfig = text_format.Parse(text, schema.ModelConfig())
    return config


def _is_resident(config: schema.ModelConfig) -> bool:
    """Tell whether a network holds the faces, and is given their numbers."""
    return "face_id" in [tensor.name for tensor in config.input]


def _build_plans(args: argparse.Namespace, folder: Path, model: ModelProto, precision: str) -> None:
    """Build a network's engines, one for batches and one for single requests, and put them where Triton loads them."""
    cache = args.avatars / TIMING_CACHE
    plans = {}
    for file, optimum in zip(PLAN_FILES, (min(args.optimum_batch, MAX_BATCH_SIZE), 1), strict=True):
        plans[file] = build_engine(model, BatchProfile(optimum=optimum), cache)
    for file, plan in plans.items():
        path = folder / "1" / file
        with replacing_file(path) as new:
            new.write_bytes(plan)
        print(f"{path}: {len(plan) / 1e6:.1f} MB, {precision}, batch 1 to {MAX_BATCH_SIZE}")


def _open(args: argparse.Namespace) -> tuple[Avatar, Path]:
    """Return the avatar and its network's folder in the model repository."""
    avatar = read_avatar(args.avatars / args.name)
    folder: Path = args.model_repository / f"{avatar.name}_unet"
    if not (folder / "1").is_dir():
        raise BadSource(folder / "1", "the avatar's models in the model repository", "nothing there")
    return avatar, folder


def _batch_sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(map(at_least(1), text.split(",")))
    if max(sizes) > MAX_BATCH_SIZE:
        raise argparse.ArgumentTypeError(f"expected batches of at most {MAX_BATCH_SIZE}, got {max(sizes)}")
    return sizes


def _gpus(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"expected GPU numbers separated by commas, got {text}")
    return tuple(map(int, parts))
