"""A Triton that computes nothing, to learn what the bridge alone costs: ``python -m benchmarks.baselines.stand_in``.

It answers at once what live speech asks of one avatar: every picture is the same bytes, as many as a picture of the
demo has, and every vector is the beginning of its sound, so that speech is not taken for silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import numpy as np
from tritonclient.grpc import service_pb2

from benchmarks.baselines.process import READY
from speech.contract import FEATURE_SIZE
from speech.mel import VECTOR_SAMPLES

__all__ = ["AVATAR", "PICTURE_BYTES", "serve"]

AVATAR = "stand_in"
FRAMES = 50
PICTURE_BYTES = 24_000
SERVICE = "inference.GRPCInferenceService"
JPEG_START = b"\xff\xd8"
BOUNDS = np.array([10, 20, 330, 340], "<i4").tobytes()
PARAMETERS = {"frame_count": str(FRAMES), "fps": "25.0", "audio_mode": "ave", "edge_padding": "zeros"}
OPTIONS = (("grpc.so_reuseport", 0),)

Handler = Callable[[Any, Any], Awaitable[Any]]


async def infer(request: service_pb2.ModelInferRequest, context: object) -> service_pb2.ModelInferResponse:
    """Answer ``<avatar>_frames``, ``_speech`` and ``_live``."""
    response = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id)
    for output in request.outputs:
        response.outputs.add(name=output.name)
        response.raw_output_contents.append(_content(output.name, request))
    return response


async def model_config(request: Any, context: object) -> service_pb2.ModelConfigResponse:
    """Tell the clip's length, whatever the model."""
    response = service_pb2.ModelConfigResponse()
    response.config.name = request.name
    for key, value in PARAMETERS.items():
        response.config.parameters[key].string_value = value
    response.config.output.add(name="face", dims=(320, 320, 3))
    return response


async def server_ready(request: object, context: object) -> service_pb2.ServerReadyResponse:
    """Be ready."""
    return service_pb2.ServerReadyResponse(ready=True)


async def serve() -> None:
    """Listen on a free port, say which, and serve until killed."""
    server = grpc.aio.server(options=OPTIONS)
    methods = {
        "ModelInfer": _handler(infer, service_pb2.ModelInferRequest),
        "ModelConfig": _handler(model_config, service_pb2.ModelConfigRequest),
        "ServerReady": _handler(server_ready, service_pb2.ServerReadyRequest),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"{READY}{port}", flush=True)
    await server.wait_for_termination()


def _content(output: str, request: service_pb2.ModelInferRequest) -> bytes:
    if output == "bounds":
        return BOUNDS
    if output == "features":
        samples = np.frombuffer(request.raw_input_contents[0], np.float32).reshape(-1, VECTOR_SAMPLES)
        return samples[:, :FEATURE_SIZE].tobytes()
    return PICTURE_BYTES.to_bytes(4, "little") + JPEG_START + bytes(PICTURE_BYTES - len(JPEG_START))


def _handler(handle: Handler, request_class: Any) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=request_class.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )


if __name__ == "__main__":
    asyncio.run(serve())
