"""One Triton server, spoken to through the raw gRPC stub; the one place that translates gRPC's errors.

The raw stub with ``raw_input_contents`` costs a fraction of ``InferenceServerClient`` per call. Requests and
tensors of the avatars' models are written and read here, too.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import grpc
import grpc.aio
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

from bridge import request_id
from bridge.access.tls import TritonTls
from bridge.errors import (
    BadRequest,
    BridgeError,
    ImportFailed,
    InferTimeout,
    InternalError,
    InvalidFrameId,
    Overloaded,
    Refused,
    UnknownModel,
    UpstreamLost,
)

__all__ = [
    "MAX_BATCH_SIZE",
    "InferRequest",
    "InferResponse",
    "ModelConfig",
    "TritonClient",
    "batch_request",
    "bytes_output",
    "encode_request",
    "frame_request",
    "int32_output",
    "raw_output",
]

InferRequest: TypeAlias = service_pb2.ModelInferRequest
InferResponse: TypeAlias = service_pb2.ModelInferResponse
ModelConfig: TypeAlias = model_config_pb2.ModelConfig

MAX_BATCH_SIZE = 16
"""How many frames one request may ask an avatar's models for."""

CHANNELS = 3
MAX_GRPC_MESSAGE_BYTES = 64 << 20
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", MAX_GRPC_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_GRPC_MESSAGE_BYTES),
    # a restarted Triton is back in the rotation half a second later, not after gRPC's usual two minutes
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # probes keep the connection busy, so this only catches a host that vanished without a word
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # channels of one process to one address would otherwise share one connection and its back-off
    ("grpc.use_local_subchannel_pool", 1),
)

LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
UNKNOWN_MODEL = "Request for unknown model"
LOADING_REFUSED = "explicit model load / unload is not allowed"
RESTRICTED = "This protocol is restricted"
QUEUE_REFUSALS = ("Exceeds maximum queue size", "Request timeout expired")
SECRET_KEY = "triton-grpc-protocol-lipsync-secret"
"""The metadata that a Triton with ``--grpc-restricted-protocol=…:lipsync-secret=VALUE`` wants with such calls."""

FRAME_ID_REFUSED = re.compile(r"frame_id -?\d+ is outside")
INT32 = struct.Struct("<i")
LENGTH = struct.Struct("<I")


class TritonClient:
    """A gRPC channel to one Triton; method names are those of Triton's own client.

    Every method raises ``UpstreamLost`` when the connection fails, ``InferTimeout`` when the deadline passes,
    ``UnknownModel`` when the model is not loaded, ``Overloaded`` when its queue is full, ``Refused`` when Triton
    wants another secret, and ``InternalError`` for any other failure of Triton.

    Args:
        address: ``host:port`` of Triton's gRPC service.
        secret: What Triton wants to be shown before it tells of its models or loads one; empty where it does not.
        tls: How it is known to be Triton; None: without TLS.
    """

    def __init__(self, address: str, secret: str = "", tls: TritonTls | None = None) -> None:
        self.address = address
        self._control_metadata = ((SECRET_KEY, secret),) if secret else None
        if tls is None:
            self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        else:
            options = (*CHANNEL_OPTIONS, *tls.options)
            self._channel = grpc.aio.secure_channel(address, tls.credentials, options=options)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def close(self) -> None:
        """Close the channel; calls in flight are cancelled."""
        await self._channel.close()

    async def is_server_ready(self, timeout_s: float) -> bool | None:
        """Return whether Triton says that it is ready, None if it says nothing within ``timeout_s``; raises nothing."""
        try:
            response = await self._stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=timeout_s)
        except grpc.aio.AioRpcError:
            return None
        return bool(response.ready)

    async def infer(self, request: InferRequest, timeout_s: float) -> InferResponse:
        """Run one ModelInferRequest and return its ModelInferResponse.

        Raises:
            InvalidFrameId: If the model has no such frame.
            BadRequest: If the model takes other inputs than an avatar's.
        """
        try:
            return await self._stub.ModelInfer(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as exc:
            raise self._translated(exc, request.model_name, timeout_s) from exc

    async def get_model_repository_index(self, timeout_s: float) -> list[str]:
        """Return the names of all models that are ready.

        Triton keeps statistics of these, and of no others, and tells them without the secret of model control, which
        its repository index asks for.
        """
        request = service_pb2.ModelStatisticsRequest()
        try:
            response = await self._stub.ModelStatistics(
                request, timeout=timeout_s, metadata=self._control_metadata
            )
        except grpc.aio.AioRpcError as exc:
            raise self._translated(exc, "the statistics of models", timeout_s) from exc
        return [model.name for model in response.model_stats]

    async def get_model_version(self, model_name: str, timeout_s: float) -> str:
        """Return the version of a model that is served, the last one of several."""
        request = service_pb2.ModelMetadataRequest(name=model_name)
        try:
            response = await self._stub.ModelMetadata(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as exc:
            raise self._translated(exc, model_name, timeout_s) from exc
        return max(response.versions, key=int, default="")

    async def get_model_config(self, model_name: str, timeout_s: float) -> ModelConfig:
        """Return a model's configuration, as Triton completed it."""
        request = service_pb2.ModelConfigRequest(name=model_name)
        try:
            response = await self._stub.ModelConfig(
                request, timeout=timeout_s, metadata=self._control_metadata
            )
        except grpc.aio.AioRpcError as exc:
            raise self._translated(exc, model_name, timeout_s) from exc
        return response.config

    async def load_model(self, model_name: str, timeout_s: float) -> None:
        """Load a model, or load it again, with the models it is made of.

        Raises:
            ImportFailed: If Triton cannot load it, or was not started to load models on demand.
        """
        request = service_pb2.RepositoryModelLoadRequest(model_name=model_name)
        try:
            await self._stub.RepositoryModelLoad(request, timeout=timeout_s, metadata=self._control_metadata)
        except grpc.aio.AioRpcError as exc:
            error = self._translated(exc, model_name, timeout_s)
            # on demand not allowed: UNAVAILABLE, too
            if isinstance(error, (UpstreamLost, Refused)) and LOADING_REFUSED not in (exc.details() or ""):
                raise error from exc
            raise ImportFailed(model_name, f"Triton at {self.address}: {exc.details()}") from exc

    async def unload_model(self, model_name: str, timeout_s: float) -> None:
        """Unload a model; those that are made of it are not ready until it is loaded again."""
        request = service_pb2.RepositoryModelUnloadRequest(model_name=model_name)
        try:
            await self._stub.RepositoryModelUnload(
                request, timeout=timeout_s, metadata=self._control_metadata
            )
        except grpc.aio.AioRpcError as exc:
            raise self._translated(exc, model_name, timeout_s) from exc

    def _translated(self, exc: grpc.aio.AioRpcError, model_name: str, timeout_s: float) -> BridgeError:
        code, detail = exc.code(), exc.details() or ""
        # before the codes: Triton has answered an unloaded model with UNAVAILABLE as well
        if code is grpc.StatusCode.NOT_FOUND or UNKNOWN_MODEL in detail:
            return UnknownModel(model_name)
        if code in LOST:
            return self._unavailable(detail, model_name)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return InferTimeout(model_name, timeout_s)
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            if FRAME_ID_REFUSED.search(detail):
                return InvalidFrameId(detail)
            return BadRequest(f"model '{model_name}'", "an avatar", f"Triton's refusal: {detail}")
        return InternalError(f"{code.name} from Triton at {self.address} for '{model_name}': {detail}")

    def _unavailable(self, detail: str, model_name: str) -> BridgeError:
        """Tell what Triton itself calls UNAVAILABLE from a connection that is lost."""
        if RESTRICTED in detail:
            return Refused(self.address, detail)
        if any(sentence in detail for sentence in QUEUE_REFUSALS):
            return Overloaded(model_name)
        return UpstreamLost(self.address, detail)


def frame_request(model_name: str, frame_id: int, outputs: tuple[str, ...]) -> InferRequest:
    """Return the request for ``outputs`` of one frame; see ``batch_request``."""
    return batch_request(model_name, (frame_id,), outputs)


def batch_request(model_name: str, frame_ids: Sequence[int], outputs: tuple[str, ...]) -> InferRequest:
    """Return the request for ``outputs`` of some frames, as one batch, with the current request's id.

    Args:
        model_name: An avatar or its ``_frames`` model.
        frame_ids: 1 to ``MAX_BATCH_SIZE`` of them, each 0 to 2**31 - 1.
        outputs: Names of the tensors that shall come back; Triton computes and sends no others.
    """
    request = service_pb2.ModelInferRequest()
    request.CopyFrom(_frame_request_template(model_name, outputs))
    request.id = request_id.current.get()
    request.inputs[0].shape[0] = len(frame_ids)
    request.raw_input_contents.append(b"".join(map(INT32.pack, frame_ids)))
    return request


def encode_request(image: bytes) -> InferRequest:
    """Return the request that has ``jpeg_encode`` make a JPEG of one face: SxSx3 uint8 BGR, of any size S."""
    size = math.isqrt(len(image) // CHANNELS)
    request = service_pb2.ModelInferRequest(model_name="jpeg_encode", id=request_id.current.get())
    request.inputs.add(name="image", datatype="UINT8", shape=(1, size, size, CHANNELS))
    request.outputs.add(name="jpeg")
    request.raw_input_contents.append(image)
    return request


def bytes_output(response: InferResponse, name: str) -> memoryview:
    """Return the one element of a BYTES tensor, without copying it.

    Raises:
        InternalError: If the response has no such tensor, or it holds anything but one element.
    """
    content = raw_output(response, name)
    if len(content) < LENGTH.size or LENGTH.unpack_from(content)[0] != len(content) - LENGTH.size:
        raise InternalError(
            f"model '{response.model_name}': expected one element in '{name}', got {len(content)} bytes"
        )
    return memoryview(content)[LENGTH.size :]


def int32_output(response: InferResponse, name: str) -> list[int]:
    """Return the values of an INT32 tensor.

    Raises:
        InternalError: If the response has no such tensor, or it is not one of INT32.
    """
    content = raw_output(response, name)
    if len(content) % INT32.size:
        raise InternalError(
            f"model '{response.model_name}': expected INT32 in '{name}', got {len(content)} bytes"
        )
    return [value for (value,) in INT32.iter_unpack(content)]


def raw_output(response: InferResponse, name: str) -> bytes:
    """Return the content of a tensor as it was sent.

    Raises:
        InternalError: If the response has no such tensor.
    """
    for output, content in zip(response.outputs, response.raw_output_contents, strict=False):
        if output.name == name:
            return bytes(content)
    names = [output.name for output in response.outputs]
    raise InternalError(f"model '{response.model_name}': expected output '{name}', got {names}")


@lru_cache(maxsize=256)  # bounded: names come from clients
def _frame_request_template(model_name: str, outputs: tuple[str, ...]) -> InferRequest:
    template = service_pb2.ModelInferRequest(model_name=model_name)
    template.inputs.add(name="frame_id", datatype="INT32", shape=(1, 1))
    for output in outputs:
        template.outputs.add(name=output)
    return template
