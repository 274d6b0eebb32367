"""The table of tensors that an avatar's models take and give, and configs written from it through Triton's schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from export.contract import MAX_BATCH_SIZE
from export.repository.avatar import Avatar
from speech.clip_sound import samples_per_frame
from speech.contract import FEATURE_SIZE
from speech.mel import VECTOR_SAMPLES

__all__ = ["JPEG_QUALITY", "JPEG_SIZE", "config_text", "new_config"]

ANY_SIZE = (-1, -1, 3)
"""Of pictures in a model that avatars of all sizes share."""

JPEG_SIZE, JPEG_QUALITY = 256, 95


@dataclass(frozen=True)
class Tensor:
    """One row of the tensor table: dims are those of one frame, without the batch axis."""

    data_type: int
    dims: tuple[int, ...]
    comment: str


TENSORS = {
    "frame_id": Tensor(schema.TYPE_INT32, (1,), "which frame of the clip, 0 to frame_count - 1"),
    "face_id": Tensor(
        schema.TYPE_INT32,
        (1,),
        "a frame_id that the lookup has found to be in range: which face the network takes",
    ),
    "bounds": Tensor(
        schema.TYPE_INT32,
        (4,),
        "x1, y1, x2, y2 of the crop in the full frame, pixels; the last two exclusive",
    ),
    "full_frame": Tensor(
        schema.TYPE_STRING, (1,), "the source picture around the face, JPEG; read only when asked for"
    ),
    "samples": Tensor(
        schema.TYPE_FP32,
        (VECTOR_SAMPLES,),
        "sound of one feature vector: 16 kHz mono after pre-emphasis, -2.0 to 2.0",
    ),
    "features": Tensor(schema.TYPE_FP32, (FEATURE_SIZE,), "one speech feature vector, 0.0 and up"),
    "image": Tensor(schema.TYPE_UINT8, ANY_SIZE, "the speaking face: height x width x 3, BGR, 0 to 255"),
    "jpeg": Tensor(schema.TYPE_STRING, (1,), "the speaking face as JPEG, marked as synthetic"),
}


def new_config(
    name: str, backend: str, inputs: Sequence[str], outputs: Sequence[str], avatar: Avatar | None
) -> schema.ModelConfig:
    """Return the config of a model with tensors of the table; ``avatar`` is None for a model that all share."""
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
    """Return the tensor table; pictures, speech window and sound depend on the avatar's network and frame rate."""
    if avatar is None:
        return TENSORS
    size = avatar.geometry.face_size
    picture = f"{size}x{size}x3, BGR, 0 to 255"
    window = f"{avatar.audio_window} speech feature vectors ({avatar.audio_mode}) around the frame, unbounded floats"
    sound = "what sounds while the frame is shown: 16 kHz mono, -32768 to 32767"
    return {
        **TENSORS,
        "face": Tensor(schema.TYPE_UINT8, (size, size, 3), f"the source face: {picture}"),
        "image": Tensor(schema.TYPE_UINT8, (size, size, 3), f"the speaking face: {picture}"),
        "audio": Tensor(schema.TYPE_FP32, avatar.kind.audio_shape, window),
        "sound": Tensor(schema.TYPE_INT16, (samples_per_frame(avatar.fps),), sound),
    }


def config_text(config: schema.ModelConfig, avatar: Avatar | None) -> str:
    """Return a config as text, each tensor with its comment."""
    tensors = _tensors(avatar)
    return re.sub(
        r'(?<=put \{\n)  name: "(\w+)"',
        lambda match: f"  # {tensors[match[1]].comment}\n{match[0]}",
        text_format.MessageToString(config),
    )
