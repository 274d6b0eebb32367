"""The ``config.pbtxt`` files of an avatar, built through Triton's own schema and commented tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from export.repository.avatar import Avatar
from export.repository.strategies import DEFAULT_STRATEGY, STRATEGIES, Strategy
from export.repository.tensors import JPEG_QUALITY, JPEG_SIZE, config_text, new_config

__all__ = [
    "BACKENDS",
    "HALF_FILE",
    "JPEG_DEVICES",
    "LIVE_JPEG",
    "PLAN_FILES",
    "ServingOptions",
    "ensemble_configs",
    "frames_configs",
    "jpeg_as_chosen",
    "jpeg_configs",
    "live_configs",
    "live_jpeg_configs",
    "speech_configs",
    "unet_configs",
]

BACKENDS = {"onnxruntime": "model.onnx", "tensorrt": "model.plan"}
"""The backends a U-Net can run on, and the file each loads."""

PLAN_FILES = ("model.plan", "single.plan")
"""TensorRT's engines: optimised for batches, and for single frames, which strategies without batching load."""

HALF_FILE = "half.onnx"
"""What ONNX Runtime loads of a network that computes in float16, beside the file for CPUs."""

GRAPH_BATCH_SIZES = (1, 2, 4, 8, 16)
"""Batches for which TensorRT's backend records CUDA graphs: one launch instead of two hundred."""

PADDED_GRAPHS = {1: 1, 2: 2, 4: 3, 6: 5, 8: 7, 12: 9, 16: 13}
"""The same for the stand-in for ONNX Runtime, each with the smallest batch that is padded to it."""

HEURISTIC = "1"
"""Of cuDNN's ways to choose an algorithm, the one that does not try all of them for each size of batch."""

LONGEST_QUEUE_US = 30_000_000
"""How long a request may wait where it brings no time-out of its own, which can only be shorter."""

LIVE_JPEG = "jpeg_live"
"""The model that makes JPEGs of live pictures: of the network's own size, since they are pasted into full frames."""

NATIVE_SIZE, LIVE_QUALITY = 0, 90

JPEG_DEVICES = ("cpu", "gpu")
STAYS_ON_DEVICE = "FORCE_CPU_ONLY_INPUT_TENSORS"
"""Triton's parameter that brings a Python model its inputs in the host's memory, wherever they are."""


@dataclass(frozen=True)
class ServingOptions:
    """What a deployment chooses about an avatar's models.

    Attributes:
        backend: ``onnxruntime`` or ``tensorrt``.
        instances: Copies of the network in the strategies that run several; on each GPU, where there are.
        batch_sizes: Preferred batches of the strategies that batch; none: whatever waits.
        queue_delay_us: How long a request may wait for others to join its batch, in microseconds.
        threads: ONNX Runtime's threads per instance on a CPU; 0: cores divided by instances.
        gpus: Which GPUs the instances are placed on; none: Triton's choice, every GPU.
        precision: What a U-Net computes in on ONNX Runtime; fp16 is for GPUs.
        lookup_instances: Processes of the frame lookup, but in the strategy for one user.
        jpeg_instances: Processes that make JPEGs, but in the strategy for one user, for all avatars together; None: as
            the repository has it, which is 1 where nobody chose.
        jpeg_device: ``cpu`` or ``gpu``: where they make them; None: as the repository has it, ``cpu`` at first.
        frames_in_network: Whether the network holds the faces, and is given their numbers.
    """

    backend: str = "onnxruntime"
    instances: int = 2
    batch_sizes: tuple[int, ...] = ()
    queue_delay_us: int = 0
    threads: int = 0
    gpus: tuple[int, ...] = ()
    precision: str = "fp32"
    lookup_instances: int = 1
    jpeg_instances: int | None = None
    jpeg_device: str | None = None
    frames_in_network: bool = False

    @property
    def for_gpus(self) -> bool:
        """Whether ONNX Runtime is to compute on GPUs, by what was chosen."""
        return self.backend == "onnxruntime" and bool(self.gpus or self.precision == "fp16")

    @property
    def network_file(self) -> str:
        """The file that a U-Net's backend loads, but for TensorRT's engine of single frames."""
        return HALF_FILE if self.for_gpus and self.precision == "fp16" else BACKENDS[self.backend]

    @property
    def face(self) -> str:
        """The tensor that tells the network which face to paint: the face, or its number."""
        return "face_id" if self.frames_in_network else "face"


USUAL = ServingOptions()


def ensemble_configs(avatar: Avatar, options: ServingOptions = USUAL) -> dict[str, str]:
    """Return the ensemble's configs by file name: frame lookup, then U-Net, then JPEG."""
    steps = {
        f"{avatar.name}_frames": (["frame_id"], [options.face, "audio", "bounds"]),
        f"{avatar.name}_unet": ([options.face, "audio"], ["image"]),
        "jpeg_encode": (["image"], ["jpeg"]),
    }
    config = _ensemble(avatar.name, avatar, ["frame_id"], steps)
    plain = config_text(config, avatar)
    assert not STRATEGIES[DEFAULT_STRATEGY].response_cache
    config.response_cache.enable = True
    return {"config.pbtxt": plain, "configs/replay.pbtxt": config_text(config, avatar)}


def live_configs(avatar: Avatar, options: ServingOptions = USUAL) -> dict[str, str]:
    """Return the configs of ``<avatar>_live``, by file name: any window of speech over any frame, never cached."""
    steps = {
        f"{avatar.name}_frames": (["frame_id"], [options.face, "bounds"]),
        f"{avatar.name}_unet": ([options.face, "audio"], ["image"]),
        LIVE_JPEG: (["image"], ["jpeg"]),
    }
    config = _ensemble(f"{avatar.name}_live", avatar, ["frame_id", "audio"], steps)
    return {"config.pbtxt": config_text(config, avatar)}


def unet_configs(avatar: Avatar, options: ServingOptions) -> dict[str, str]:
    """Return the U-Net's configs by file name: the default, and one per strategy."""
    name, inputs = f"{avatar.name}_unet", [options.face, "audio"]
    return _network_configs(name, inputs, ["image"], avatar, options, options.network_file)


def speech_configs(avatar: Avatar, options: ServingOptions) -> dict[str, str]:
    """Return the configs of ``<avatar>_speech``, from sound to feature vectors, by file name."""
    name, file = f"{avatar.name}_speech", BACKENDS[options.backend]
    return _network_configs(name, ["samples"], ["features"], avatar, options, file)


def frames_configs(avatar: Avatar, options: ServingOptions = USUAL) -> dict[str, str]:
    """Return the frame lookup's configs by file name; their parameters are what clients read as metadata."""
    outputs = ["face", "audio", "bounds", "full_frame", "sound"]
    if options.frames_in_network:
        outputs.append("face_id")
    config = new_config(f"{avatar.name}_frames", "frame_lookup", ["frame_id"], outputs, avatar)
    config.instance_group.add(count=1, kind=schema.ModelInstanceGroup.KIND_CPU)
    parameters = {
        "frame_count": str(avatar.frame_count),
        "fps": f"{avatar.fps:g}",
        "audio_mode": avatar.audio_mode,
        "edge_padding": avatar.edge_padding,
        "audio_window": str(avatar.audio_window),
    }
    for key, value in parameters.items():
        config.parameters[key].string_value = value
    return _helper_texts(config, avatar, options.lookup_instances)


def jpeg_configs(options: ServingOptions = USUAL) -> dict[str, str]:
    """Return the configs of ``jpeg_encode``, which every avatar shares, by file name."""
    return _jpeg_configs("jpeg_encode", JPEG_SIZE, JPEG_QUALITY, options)


def live_jpeg_configs(options: ServingOptions = USUAL) -> dict[str, str]:
    """Return the configs of ``jpeg_live``, which every avatar's live pictures share, by file name."""
    return _jpeg_configs(LIVE_JPEG, NATIVE_SIZE, LIVE_QUALITY, options)


def _jpeg_configs(name: str, size: int, quality: int, options: ServingOptions) -> dict[str, str]:
    config = new_config(name, "jpeg_encode", ["image"], ["jpeg"], None)
    config.instance_group.add(count=1, kind=schema.ModelInstanceGroup.KIND_CPU)
    config.parameters["size"].string_value = str(size)
    config.parameters["quality"].string_value = str(quality)
    _place_jpeg(config, options)
    return _helper_texts(config, None, options.jpeg_instances or 1)


def jpeg_as_chosen(text: str, options: ServingOptions, alone: bool) -> str:
    """Return the config of a shared encoder with the instances and the device that were chosen, all else as it is.

    Args:
        text: The config, which somebody may have edited.
        options: What was chosen.
        alone: Whether it is the variant for one user, which keeps its instances.

    Raises:
        google.protobuf.text_format.ParseError: If it is no config.
    """
    config = text_format.Parse(text, schema.ModelConfig())
    if not config.instance_group:
        config.instance_group.add(count=1, kind=schema.ModelInstanceGroup.KIND_CPU)
    if options.jpeg_instances is not None and not alone:
        config.instance_group[0].count = options.jpeg_instances
    _place_jpeg(config, options)
    return config_text(config, None)


def _place_jpeg(config: schema.ModelConfig, options: ServingOptions) -> None:
    """Say where an encoder works, if that was chosen; what it makes smaller has to come to the host for that."""
    if options.jpeg_device is None:
        return
    group, on_gpu = config.instance_group[0], options.jpeg_device == "gpu"
    for key in ("device", STAYS_ON_DEVICE):
        config.parameters.pop(key, None)
    del group.gpus[:]
    group.kind = schema.ModelInstanceGroup.KIND_GPU if on_gpu else schema.ModelInstanceGroup.KIND_CPU
    if on_gpu:
        group.gpus.extend(options.gpus)
        config.parameters["device"].string_value = options.jpeg_device
        if config.parameters["size"].string_value == str(NATIVE_SIZE):
            config.parameters[STAYS_ON_DEVICE].string_value = "no"


def _helper_texts(config: schema.ModelConfig, avatar: Avatar | None, instances: int) -> dict[str, str]:
    """Return the configs of a stage beside the network.

    It batches and has several instances, but not for one user, whom the one would delay and the other not help.
    """
    alone = config_text(config, avatar)
    _batch(config)
    config.instance_group[0].count = instances
    return {"config.pbtxt": config_text(config, avatar), "configs/latency.pbtxt": alone}


def _ensemble(
    name: str, avatar: Avatar, inputs: list[str], steps: Mapping[str, tuple[Sequence[str], Sequence[str]]]
) -> schema.ModelConfig:
    """Return an ensemble that gives a JPEG and its bounds; a step's tensors have the ensemble's names."""
    config = new_config(name, "", inputs, ["jpeg", "bounds"], avatar)
    config.platform = "ensemble"
    for model_name, (taken, given) in steps.items():
        step = config.ensemble_scheduling.step.add(model_name=model_name, model_version=-1)
        step.input_map.update({tensor: tensor for tensor in taken})
        step.output_map.update({tensor: tensor for tensor in given})
    return config


def _network_configs(
    name: str, inputs: list[str], outputs: list[str], avatar: Avatar, options: ServingOptions, file: str
) -> dict[str, str]:
    """Return the configs of a network by file name: the default, and one per strategy."""
    texts = {}
    for strategy_name, strategy in STRATEGIES.items():
        config = new_config(name, options.backend, inputs, outputs, avatar)
        config.default_model_filename = file
        _place(config, strategy, options)
        texts[strategy_name] = config_text(config, avatar)
    variants = {f"configs/{strategy_name}.pbtxt": text for strategy_name, text in texts.items()}
    return {"config.pbtxt": texts[DEFAULT_STRATEGY], **variants}


def _place(config: schema.ModelConfig, strategy: Strategy, options: ServingOptions) -> None:
    """Say how many instances of a network run where, and how they batch."""
    group = config.instance_group.add(count=options.instances if strategy.many_instances else 1)
    if options.gpus:
        group.kind = schema.ModelInstanceGroup.KIND_GPU
        group.gpus.extend(options.gpus)
    if options.threads:
        config.parameters["intra_op_thread_count"].string_value = str(options.threads)
    if strategy.dynamic_batching:
        _batch(config)
        config.dynamic_batching.preferred_batch_size.extend(options.batch_sizes)
        config.dynamic_batching.max_queue_delay_microseconds = options.queue_delay_us
    if options.backend == "tensorrt":
        _prepare_for_tensorrt(config, strategy)
    if options.for_gpus:
        _prepare_for_cuda(config, strategy)


def _batch(config: schema.ModelConfig) -> None:
    """Have waiting requests joined, and those refused whose own time-out has passed: nobody waits for them."""
    policy = config.dynamic_batching.default_queue_policy
    policy.timeout_action = schema.ModelQueuePolicy.REJECT
    policy.default_timeout_microseconds = LONGEST_QUEUE_US
    policy.allow_timeout_override = True


def _prepare_for_tensorrt(config: schema.ModelConfig, strategy: Strategy) -> None:
    """Name the engine that suits the strategy, and have CUDA graphs recorded for the batches it will meet."""
    config.default_model_filename = PLAN_FILES[0 if strategy.dynamic_batching else 1]
    config.optimization.cuda.graphs = True
    for batch_size in GRAPH_BATCH_SIZES if strategy.dynamic_batching else (1,):
        config.optimization.cuda.graph_spec.add(batch_size=batch_size)


def _prepare_for_cuda(config: schema.ModelConfig, strategy: Strategy) -> None:
    """Have CUDA graphs recorded for the batches that ONNX Runtime will meet; the native backend reads over that."""
    config.parameters["cudnn_conv_algo_search"].string_value = HEURISTIC
    config.optimization.cuda.graphs = True
    for batch_size, least in (PADDED_GRAPHS if strategy.dynamic_batching else {1: 1}).items():
        spec = config.optimization.cuda.graph_spec.add(batch_size=batch_size)
        if least < batch_size:
            spec.graph_lower_bound.batch_size = least
