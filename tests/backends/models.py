"""Write small models for a real Triton, and ask them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tritonclient.grpc
from google.protobuf import text_format
from onnx import TensorProto, helper
from tritonclient.grpc import model_config_pb2 as schema
from tritonclient.utils import InferenceServerException

from embedded import Server
from export.repository.avatar import Avatar
from export.repository.configs import frames_configs
from tests.embedded.processes import WAIT_S, Process, find_family, wait_until

Change = Callable[[schema.ModelConfig], None]

FRAME_COUNT = 6
HOLD_US = 10_000_000
"""How long a held model waits for its batch; longer than any test takes to fill it."""


@dataclass(frozen=True)
class FrameData:
    """The frames of a made-up avatar, and the files that hold them. There is one feature vector less than frames."""

    folder: Path
    faces: np.ndarray
    features: np.ndarray
    bounds: np.ndarray
    sound: np.ndarray
    full_frames: list[bytes]


def write_frame_data(folder: Path) -> FrameData:
    """Write random frames of FRAME_COUNT ids; their pictures are bytes of different lengths."""
    rng = np.random.default_rng(7)
    faces = rng.integers(0, 256, (FRAME_COUNT, 320, 320, 3)).astype(np.uint8)
    features = rng.normal(size=(FRAME_COUNT - 1, 512)).astype(np.float32)
    bounds = rng.integers(0, 500, (FRAME_COUNT, 4)).astype(np.int32)
    sound = rng.integers(-32768, 32768, (FRAME_COUNT, 640)).astype(np.int16)
    full_frames = [rng.bytes(20_000 + 1000 * index) for index in range(FRAME_COUNT)]
    offsets = np.cumsum([0, *map(len, full_frames)]).astype(np.int64)
    folder.mkdir(parents=True)
    np.save(folder / "faces.npy", faces)
    np.save(folder / "audio_features.npy", features)
    np.save(folder / "bounds.npy", bounds)
    np.save(folder / "sound.npy", sound)
    np.save(folder / "full_frame_offsets.npy", offsets)
    (folder / "full_frames.bin").write_bytes(b"".join(full_frames))
    return FrameData(folder, faces, features, bounds, sound, full_frames)


def write_frames_model(
    repository: Path,
    name: str,
    data: FrameData,
    change: Callable[[schema.ModelConfig], None] | None = None,
    **avatar: Any,
) -> None:
    """Write ``<name>_frames`` as the exporter does, its config changed by ``change``."""
    settings = {"edge_padding": "zeros", "frame_count": FRAME_COUNT, **avatar}
    text = frames_configs(Avatar(name=name, fps=25.0, audio_mode="ave", source="test", **settings))[
        "config.pbtxt"
    ]
    config = text_format.Parse(text, schema.ModelConfig())
    if change:
        change(config)
    write_model(repository, config)
    shutil.copytree(data.folder, repository / config.name / "1", dirs_exist_ok=True)


def write_jpeg_model(repository: Path, name: str, change: Change | None = None, **parameters: str) -> None:
    """Write a model of the backend ``jpeg_encode``, its config changed by ``change``."""
    config = schema.ModelConfig(name=name, backend="jpeg_encode", max_batch_size=16)
    config.input.add(name="image", data_type=schema.TYPE_UINT8, dims=(320, 320, 3))
    config.output.add(name="jpeg", data_type=schema.TYPE_STRING, dims=(1,))
    config.instance_group.add(count=1, kind=schema.ModelInstanceGroup.KIND_CPU)
    for key, value in parameters.items():
        config.parameters[key].string_value = value
    if change:
        change(config)
    write_model(repository, config)


def table_lookup() -> onnx.ModelProto:
    """``y = (10, 20, 30, 40)[x]``, (B, 1) int32 in, (B, 1) uint8 out; an x outside fails when it runs."""
    table = helper.make_tensor("table", TensorProto.UINT8, [4], [10, 20, 30, 40])
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "x"], ["y"])],
        "table_lookup",
        [helper.make_tensor_value_info("x", TensorProto.INT32, ["batch", 1])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, ["batch", 1])],
        [table],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_network_model(
    repository: Path,
    name: str,
    *,
    backend: str = "onnxruntime",
    network: bytes | None = None,
    file_name: str = "model.onnx",
    hold_for: int = 0,
    **parameters: str,
) -> None:
    """Write a model that serves ``table_lookup``, or the bytes given instead of it."""
    config = schema.ModelConfig(
        name=name, backend=backend, max_batch_size=8, default_model_filename=file_name
    )
    config.input.add(name="x", data_type=schema.TYPE_INT32, dims=(1,))
    config.output.add(name="y", data_type=schema.TYPE_UINT8, dims=(1,))
    config.instance_group.add(count=1)
    if hold_for:
        hold(config, hold_for)
    for key, value in parameters.items():
        config.parameters[key].string_value = value
    write_model(repository, config, network or table_lookup().SerializeToString())


def write_model(repository: Path, config: schema.ModelConfig, weights: bytes = b"") -> None:
    """Write a model's folder; its version folder holds the weights, if the config names a file for them."""
    version = repository / config.name / "1"
    version.mkdir(parents=True)
    (version.parent / "config.pbtxt").write_text(text_format.MessageToString(config))
    if config.default_model_filename:
        (version / config.default_model_filename).write_bytes(weights)


def hold(config: schema.ModelConfig, batch_size: int) -> None:
    """Let Triton hold requests back until ``batch_size`` of them make a batch."""
    config.dynamic_batching.preferred_batch_size.append(batch_size)
    config.dynamic_batching.max_queue_delay_microseconds = HOLD_US


class Client:
    """Asks one server; arrays in, arrays out."""

    def __init__(self, server: Server, repository: Path) -> None:
        self.server, self.repository = server, repository
        self.grpc = tritonclient.grpc.InferenceServerClient(server.grpc_url)

    def infer(self, model_name: str, outputs: Sequence[str], **inputs: np.ndarray) -> dict[str, np.ndarray]:
        types = {np.dtype(np.int32): "INT32", np.dtype(np.uint8): "UINT8"}
        tensors = [
            tritonclient.grpc.InferInput(name, value.shape, types[value.dtype]).set_data_from_numpy(value)
            for name, value in inputs.items()
        ]
        wanted = [tritonclient.grpc.InferRequestedOutput(name) for name in outputs]
        result = self.grpc.infer(model_name, tensors, outputs=wanted, client_timeout=WAIT_S)
        return {name: result.as_numpy(name) for name in outputs}

    def infer_together(
        self, model_name: str, output: str, requests: list[dict[str, np.ndarray]]
    ) -> list[Any]:
        """Send requests side by side; return each one's output, or the exception it met."""

        def ask(inputs: dict[str, np.ndarray]) -> Any:
            try:
                return self.infer(model_name, [output], **inputs)[output]
            except InferenceServerException as exc:
                return exc

        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(ask, requests))

    def batch_sizes(self, model_name: str) -> dict[int, int]:
        """Return how many executions of which batch size a model had, once Triton has counted any.

        It counts an execution after it has sent the answers.
        """

        def counted() -> dict[int, int] | None:
            statistics = self.grpc.get_inference_statistics(model_name).model_stats[0]
            return {one.batch_size: one.compute_infer.count for one in statistics.batch_stats} or None

        return wait_until(counted)

    def stub(self, model_name: str) -> Process:
        """Return the process that runs a model's only instance."""
        family = find_family(f"--grpc-port={self.server.grpc_port}")
        (process,) = [one for one in family.members if f"\0{model_name}_0_0\0" in one.command]
        return process

    def load(self, model_name: str) -> None:
        """Have Triton load a model, as who knows its secret may."""
        self.grpc.load_model(model_name, headers=self.server.grpc_control)

    def load_error(self, model_name: str) -> str:
        """Load a model that cannot be, and return what Triton says."""
        try:
            self.load(model_name)
        except InferenceServerException as exc:
            return str(exc.message())
        raise AssertionError(f"{model_name} was loaded")


def column(*values: int) -> np.ndarray:
    """Return (B, 1) int32."""
    return np.array(values, np.int32)[:, None]
