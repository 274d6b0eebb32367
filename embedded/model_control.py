"""Ask a running Triton to load, replace or unload a model, as who knows its secret."""

from __future__ import annotations

import time
from typing import Any

import grpc
from google.protobuf import json_format
from tritonclient.grpc import service_pb2, service_pb2_grpc

from embedded.command import Server

__all__ = ["ModelControl", "Refused", "Unanswered"]

LIVE_TIMEOUT_S = 2.0
RENEWED = "renewed"
"""A parameter that nobody reads: with it a config is another, and Triton makes every instance of the model anew."""
SILENT = {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE}


class Refused(Exception):
    """Raised when Triton says why it does not do what it was asked for."""


class Unanswered(Exception):
    """Raised when Triton does not answer in time, or at all."""


class ModelControl:
    """A connection to one Triton; close it."""

    def __init__(self, server: Server, load_timeout_s: float) -> None:
        self._channel = server.grpc_channel()
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._metadata = tuple(server.grpc_control.items())
        self._load_timeout_s = load_timeout_s

    async def close(self) -> None:
        await self._channel.close()

    async def is_live(self) -> bool:
        """Tell whether Triton answers at all."""
        try:
            await self._stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=LIVE_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return False
        return True

    async def replace(self, model: str) -> None:
        """Have all instances of a model made anew, while the old ones and all ensembles of it go on.

        Triton takes a load of what it has loaded for done, so it is given the model's own config with a parameter more.

        Raises:
            Refused: If the model cannot be loaded; it stays as it was.
            Unanswered: If Triton does not answer.
        """
        request = service_pb2.ModelConfigRequest(name=model)
        config = (await self._call(self._stub.ModelConfig, request)).config
        config.parameters[RENEWED].string_value = str(time.time_ns())
        text = json_format.MessageToJson(config, preserving_proto_field_name=True, indent=None)
        await self._load(model, {"config": service_pb2.ModelRepositoryParameter(string_param=text)})

    async def load(self, model: str) -> None:
        """Load a model, and with it the ensembles that waited for it.

        Raises:
            Refused: If it cannot be loaded.
            Unanswered: If Triton does not answer.
        """
        await self._load(model, {})

    async def repository_models(self) -> list[str]:
        """Return the names of all models in the repository, loaded or not.

        Raises:
            Refused: If Triton does not say.
            Unanswered: If Triton does not answer.
        """
        index = await self._call(self._stub.RepositoryIndex, service_pb2.RepositoryIndexRequest())
        return sorted({model.name for model in index.models})

    async def unload(self, model: str) -> None:
        """Unload a model; the ensembles of it go with it.

        Raises:
            Refused: If Triton does not.
            Unanswered: If Triton does not answer.
        """
        await self._call(
            self._stub.RepositoryModelUnload, service_pb2.RepositoryModelUnloadRequest(model_name=model)
        )

    async def _load(self, model: str, parameters: dict[str, service_pb2.ModelRepositoryParameter]) -> None:
        request = service_pb2.RepositoryModelLoadRequest(model_name=model, parameters=parameters)
        await self._call(self._stub.RepositoryModelLoad, request)

    async def _call(self, method: grpc.aio.UnaryUnaryMultiCallable, request: Any) -> Any:
        try:
            return await method(request, timeout=self._load_timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as exc:
            error = Unanswered if exc.code() in SILENT else Refused
            raise error(exc.details()) from exc
