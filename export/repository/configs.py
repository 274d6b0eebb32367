"""The ``config.pbtxt`` files of an avatar, built through Triton's own schema and commented tensor by tensor."""

from __future__ import annotations

import re
from dataclasses import dataclass

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from export.contract import FACE_SIZE, MAX_BATCH_SIZE
from export.footage.sound import samples_per_frame
from export.repository.avatar import Avatar
from export.repository.strategies import DEFAULT_STRATEGY, STRATEGIES, Strategy
from speech.contract import AUDIO_SHAPES

__all__ = [
    "BACKENDS",
    "PLAN_FILES",
    "ServingOptions",
    "ensemble_configs",
    "frames_configs",
    "jpeg_configs",
    "unet_configs",
]

BACKENDS = {"onnxruntime": "model.onnx", "tensorrt": "model.plan"}
"""The backends a U-Net can run on, and the file each loads."""

PLAN_FILES = ("model.plan", "single.plan")
"""TensorRT's engines: optimised for batches, and for single frames, which strategies without batching load."""

GRAPH_BATCH_SIZES = (1, 2, 4, 8, 16)
"""Batches for which TensorRT's backend records CUDA graphs: one launch instead of two hundred."""

PICTURE = "320x320x3, BGR, 0 to 255"
PICTURE_DIMS = (FACE_SIZE, FACE_SIZE, 3)
JPEG_SIZE, JPEG_QUALITY = 256, 95


@dataclass(frozen=True)
class Tensor:
    """One row of the tensor table: dims are those of one frame, without the batch axis."""

    data_type: int
    dims: tuple[int, ...]
    comment: str


TENSORS = {
    "frame_id": Tensor(schema.TYPE_INT32, (1,), "which frame of the clip, 0 to frame_count - 1"),
    "face": Tensor(schema.TYPE_UINT8, PICTURE_DIMS, f"the source face: {PICTURE}"),
    "bounds": Tensor(
        schema.TYPE_INT32,
        (4,),
        "x1, y1, x2, y2 of the crop in the full frame, pixels; the last two exclusive",
    ),
    "full_frame": Tensor(
        schema.TYPE_STRING, (1,), "the source picture around the face, JPEG; read only when asked for"
    ),
    "image": Tensor(schema.TYPE_UINT8, PICTURE_DIMS, f"the speaking face: {PICTURE}"),
    "jpeg": Tensor(
        schema.TYPE_STRING, (1,), f"the speaking face as JPEG, {JPEG_SIZE}x{JPEG_SIZE}, marked as synthetic"
    ),
}


@dataclass(frozen=True)
class ServingOptions:
    """What a deployment chooses about a U-Net.

    Attributes:
        backend: ``onnxruntime`` or ``tensorrt``.
        instances: Copies of the network in the strategies that run several; on each GPU, where there are.
        batch_sizes: Preferred batches of the strategies that batch; none: whatever waits.
        queue_delay_us: How long a request may wait for others to join its batch, in microseconds.
        threads: ONNX Runtime's threads per instance on a CPU; 0: cores divided by instances.
        gpus: Which GPUs the instances are placed on; none: Triton's choice, every GPU.
    """

    backend: str = "onnxruntime"
    instances: int = 2
    batch_sizes: tuple[int, ...] = ()
    queue_delay_us: int = 0
    threads: int = 0
    gpus: tuple[int, ...] = ()


def ensemble_configs(avatar: Avatar) -> dict[str, str]:
    """Return the ensemble's configs by file name: frame lookup, then U-Net, then JPEG."""
    return {
        "config.pbtxt": _text(_ensemble(avatar, STRATEGIES[DEFAULT_STRATEGY]), avatar),
        "configs/replay.pbtxt": _text(_ensemble(avatar, STRATEGIES["replay"]), avatar),
    }


def unet_configs(avatar: Avatar, options: ServingOptions) -> dict[str, str]:
    """Return the U-Net's configs by file name: the default, and one per strategy."""
    texts = {name: _text(_unet(avatar, strategy, options), avatar) for name, strategy in STRATEGIES.items()}
    return {
        "config.pbtxt": texts[DEFAULT_STRATEGY],
        **{f"configs/{name}.pbtxt": text for name, text in texts.items()},
    }


def frames_configs(avatar: Avatar) -> dict[str, str]:
    """Return the frame lookup's configs by file name; their parameters are what clients read as metadata."""
    config = _model(
        f"{avatar.name}_frames",
        "frame_lookup",
        ["frame_id"],
        ["face", "audio", "bounds", "full_frame", "sound"],
        avatar,
    )
    config.instance_group.add(count=1, kind=schema.ModelInstanceGroup.KIND_CPU)
    parameters = {
        "frame_count": str(avatar.frame_count),
        "fps": f"{avatar.fps:g}",
        "audio_mode": avatar.audio_mode,
        "edge_padding": avatar.edge_padding,
    }
    for key, value in parameters.items():
        config.parameters[key].string_value = value
    return _helper_texts(config, avatar)


def jpeg_configs() -> dict[str, str]:
    """Return the configs of ``jpeg_encode``, which every avatar shares, by file name."""
    config = _model("jpeg_encode", "jpeg_encode", ["image"], ["jpeg"], None)
    config.instance_group.add(count=1, kind=schema.ModelInstanceGroup.KIND_CPU)
    config.parameters["size"].string_value = str(JPEG_SIZE)
    config.parameters["quality"].string_value = str(JPEG_QUALITY)
    return _helper_texts(config, None)


def _helper_texts(config: schema.ModelConfig, avatar: Avatar | None) -> dict[str, str]:
    """Return the configs of a stage beside the network: it batches, but not for one user, whom that would delay."""
    alone = _text(config, avatar)
    config.dynamic_batching.SetInParent()
    return {"config.pbtxt": _text(config, avatar), "configs/latency.pbtxt": alone}


def _ensemble(avatar: Avatar, strategy: Strategy) -> schema.ModelConfig:
    config = _model(avatar.name, "", ["frame_id"], ["jpeg", "bounds"], avatar)
    config.platform = "ensemble"
    steps = {
        f"{avatar.name}_frames": (["frame_id"], ["face", "audio", "bounds"]),
        f"{avatar.name}_unet": (["face", "audio"], ["image"]),
        "jpeg_encode": (["image"], ["jpeg"]),
    }
    for model_name, (inputs, outputs) in steps.items():
        step = config.ensemble_scheduling.step.add(model_name=model_name, model_version=-1)
        step.input_map.update({name: name for name in inputs})
        step.output_map.update({name: name for name in outputs})
    if strategy.response_cache:
        config.response_cache.enable = True
    return config


def _unet(avatar: Avatar, strategy: Strategy, options: ServingOptions) -> schema.ModelConfig:
    config = _model(f"{avatar.name}_unet", options.backend, ["face", "audio"], ["image"], avatar)
    config.default_model_filename = BACKENDS[options.backend]
    group = config.instance_group.add(count=options.instances if strategy.many_instances else 1)
    if options.gpus:
        group.kind = schema.ModelInstanceGroup.KIND_GPU
        group.gpus.extend(options.gpus)
    if options.threads:
        config.parameters["intra_op_thread_count"].string_value = str(options.threads)
    if strategy.dynamic_batching:
        config.dynamic_batching.SetInParent()
        config.dynamic_batching.preferred_batch_size.extend(options.batch_sizes)
        config.dynamic_batching.max_queue_delay_microseconds = options.queue_delay_us
    if options.backend == "tensorrt":
        _prepare_for_tensorrt(config, strategy)
    return config


def _prepare_for_tensorrt(config: schema.ModelConfig, strategy: Strategy) -> None:
    """Name the engine that suits the strategy, and have CUDA graphs recorded for the batches it will meet."""
    config.default_model_filename = PLAN_FILES[0 if strategy.dynamic_batching else 1]
    config.optimization.cuda.graphs = True
    for batch_size in GRAPH_BATCH_SIZES if strategy.dynamic_batching else (1,):
        config.optimization.cuda.graph_spec.add(batch_size=batch_size)


def _model(
    name: str, backend: str, inputs: list[str], outputs: list[str], avatar: Avatar | None
) -> schema.ModelConfig:
    config = schema.ModelConfig(name=name, backend=backend, max_batch_size=MAX_BATCH_SIZE)
    tensors = _tensors(avatar)
    for tensor_name in inputs:
        tensor = tensors[tensor_name]
        config.input.add(name=tensor_name, data_type=tensor.data_type, dims=tensor.dims)
    for tensor_name in outputs:
        tensor = tensors[tensor_name]
        config.output.add(name=tensor_name, data_type=tensor.data_type, dims=tensor.dims)
    return config


def _tensors(avatar: Avatar | None) -> dict[str, Tensor]:
    """Return the tensor table; speech window and sound depend on the avatar's audio mode and frame rate."""
    if avatar is None:
        return TENSORS
    window = f"16 speech feature vectors ({avatar.audio_mode}) around the frame, unbounded floats"
    sound = "what sounds while the frame is shown: 16 kHz mono, -32768 to 32767"
    return {
        **TENSORS,
        "audio": Tensor(schema.TYPE_FP32, AUDIO_SHAPES[avatar.audio_mode], window),
        "sound": Tensor(schema.TYPE_INT16, (samples_per_frame(avatar.fps),), sound),
    }


def _text(config: schema.ModelConfig, avatar: Avatar | None) -> str:
    tensors = _tensors(avatar)
    return re.sub(
        r'(?<=put \{\n)  name: "(\w+)"',
        lambda match: f"  # {tensors[match[1]].comment}\n{match[0]}",
        text_format.MessageToString(config),
    )
