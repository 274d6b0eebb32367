"""KServe v2 over gRPC: messages out and in, no I/O.

The stubs of tritonclient are used as they are: its client classes build each request twice, and cost
several times as much per call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tritonclient.grpc import InferResult, service_pb2

from lipsync_client.wire import FRAME_ID, OUTPUTS, Answer, Call, frame_id_tensor

__all__ = ["Rpc", "config_call", "infer_call", "models_call", "ready_call"]


@dataclass(frozen=True)
class Rpc:
    """One unary call.

    Attributes:
        method: Name of the method on the stub.
        message: Its protobuf message.
    """

    method: str
    message: Any


def ready_call() -> Call[bool]:
    """Ask whether the server and every model it must serve are ready."""
    return Call(Rpc("ServerReady", service_pb2.ServerReadyRequest()), lambda response: bool(response.ready))


def models_call() -> Call[list[str]]:
    """Ask for the names of the models that are ready: Triton keeps statistics of these, and of no others.

    The repository index, which has them too, is often open to the server's owner alone.
    """
    return Call(Rpc("ModelStatistics", service_pb2.ModelStatisticsRequest()), _parse_models)


def config_call(model_name: str, avatar: str) -> Call[dict[str, Any]]:
    """Ask for the configuration of one of the models that make up ``avatar``."""
    rpc = Rpc("ModelConfig", service_pb2.ModelConfigRequest(name=model_name))
    return Call(rpc, _parse_config, avatar)


def infer_call(model_name: str, frame_ids: Sequence[int]) -> Call[Answer]:
    """Ask an avatar for frames."""
    tensor = frame_id_tensor(frame_ids)
    message = service_pb2.ModelInferRequest(model_name=model_name, raw_input_contents=[tensor.tobytes()])
    message.inputs.add(name=FRAME_ID, datatype="INT32", shape=tensor.shape)
    for name in OUTPUTS:
        message.outputs.add(name=name)
    return Call(Rpc("ModelInfer", message), InferResult, model_name)


def _parse_models(response: service_pb2.ModelStatisticsResponse) -> list[str]:
    return [entry.name for entry in response.model_stats]


def _parse_config(response: service_pb2.ModelConfigResponse) -> dict[str, Any]:
    config = response.config
    parameters = {key: {"string_value": value.string_value} for key, value in config.parameters.items()}
    return {"max_batch_size": config.max_batch_size, "parameters": parameters}
