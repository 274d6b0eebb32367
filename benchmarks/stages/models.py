"""The models that are measured alone: each stage once for each number of instances, in a repository of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from benchmarks.site import Site
from export.files import link_or_copy
from export.repository.avatar import FRAME_FILES, read_avatar
from export.repository.configs import ServingOptions, frames_configs, jpeg_configs
from export.repository.tensors import JPEG_QUALITY

__all__ = ["MAX_BATCH", "STAGES", "Stage", "model_name", "write_repository"]

AVATAR = "demo"
MAX_BATCH = 32
FACE = (320, 320, 3)
HELD = ServingOptions(frames_in_network=True)
IDENTITY = Path(__file__).with_name("identity.py")


@dataclass(frozen=True)
class Stage:
    """One stage, asked alone.

    Attributes:
        name: What tables call it; with ``_`` for blanks, its models' name begins so.
        input: The name of what it is given.
        outputs: What it is asked for.
        config: Makes its config, but for name, instances and greatest batch.
        steps: Of an ensemble, the stages whose models it runs.
    """

    name: str
    input: str
    outputs: tuple[str, ...]
    config: Callable[[Site], schema.ModelConfig]
    steps: tuple[str, ...] = ()

    @property
    def takes_pictures(self) -> bool:
        """Whether it is given pictures; the others are given frame ids."""
        return self.input == "image" or self.name == "identity, one face"


def model_name(stage: str, instances: int) -> str:
    """Return what the model of a stage of that name with so many instances is called."""
    return f"{stage.replace(',', '').replace(' ', '_')}_x{instances}"


def write_repository(site: Site, folder: Path, stages: Sequence[Stage], instances: Sequence[int]) -> None:
    """Write the models of all stages, with each number of instances; the lookup's frames are the demo avatar's."""
    for stage in stages:
        for count in instances:
            config = stage.config(site)
            config.name, config.max_batch_size = model_name(stage.name, count), MAX_BATCH
            _number(config, count)
            version = folder / config.name / "1"
            version.mkdir(parents=True)
            (version.parent / "config.pbtxt").write_text(
                text_format.MessageToString(config), encoding="utf-8"
            )
            if config.backend == "frame_lookup":
                for name in FRAME_FILES:
                    link_or_copy(site.avatars / AVATAR / name, version / name)
            if config.backend == "python":
                shutil.copyfile(IDENTITY, version / "model.py")


def _number(config: schema.ModelConfig, count: int) -> None:
    """Give a model its instances; an ensemble has none, but runs the models that have so many."""
    for step in config.ensemble_scheduling.step:
        step.model_name = model_name(step.model_name, count)
    del config.instance_group[:]
    if not config.HasField("ensemble_scheduling"):
        config.instance_group.add(count=count, kind=schema.ModelInstanceGroup.KIND_CPU)


def _identity(data_type: int, dims: Sequence[int]) -> Callable[[Site], schema.ModelConfig]:
    def config(site: Site) -> schema.ModelConfig:
        made = schema.ModelConfig(backend="python")
        made.input.add(name="x", data_type=data_type, dims=dims)
        made.output.add(name="y", data_type=data_type, dims=dims)
        made.dynamic_batching.SetInParent()
        return made

    return config


def _lookup(options: ServingOptions) -> Callable[[Site], schema.ModelConfig]:
    return lambda site: _parsed(frames_configs(read_avatar(site.avatars / AVATAR), options)["config.pbtxt"])


def _jpeg(size: int, quality: int) -> Callable[[Site], schema.ModelConfig]:
    def config(site: Site) -> schema.ModelConfig:
        made = _parsed(jpeg_configs()["config.pbtxt"])
        made.parameters["size"].string_value, made.parameters["quality"].string_value = (
            str(size),
            str(quality),
        )
        return made

    return config


def _whole_path(site: Site) -> schema.ModelConfig:
    made = schema.ModelConfig(platform="ensemble")
    made.input.add(name="frame_id", data_type=schema.TYPE_INT32, dims=(1,))
    made.output.add(name="jpeg", data_type=schema.TYPE_STRING, dims=(1,))
    made.output.add(name="bounds", data_type=schema.TYPE_INT32, dims=(4,))
    wires = (
        ({"frame_id": "frame_id"}, {"face": "face", "bounds": "bounds"}),
        ({"x": "face"}, {"y": "image"}),
        ({"image": "image"}, {"jpeg": "jpeg"}),
    )
    for name, (taken, given) in zip(PATH, wires, strict=True):
        step = made.ensemble_scheduling.step.add(model_name=name, model_version=-1)
        step.input_map.update(taken)
        step.output_map.update(given)
    return made


def _parsed(text: str) -> schema.ModelConfig:
    config: schema.ModelConfig = text_format.Parse(text, schema.ModelConfig())
    return config


PATH = ("lookup", "identity, one face", "jpeg 256")
"""The stages of a frame's whole path, a model that gives the face back in the network's place."""

STAGES = (
    Stage("identity, one number", "x", ("y",), _identity(schema.TYPE_INT32, (1,))),
    Stage("identity, one face", "x", ("y",), _identity(schema.TYPE_UINT8, FACE)),
    Stage("lookup", "frame_id", ("face", "audio", "bounds"), _lookup(ServingOptions())),
    Stage("lookup, faces in network", "frame_id", ("face_id", "audio", "bounds"), _lookup(HELD)),
    Stage("jpeg 256", "image", ("jpeg",), _jpeg(256, JPEG_QUALITY)),
    Stage("jpeg 320", "image", ("jpeg",), _jpeg(320, JPEG_QUALITY)),
    Stage("jpeg live", "image", ("jpeg",), _jpeg(0, 90)),
    Stage("whole path", "frame_id", ("jpeg", "bounds"), _whole_path, PATH),
)
"""The stages beside the network, and what a request costs that does nothing."""
