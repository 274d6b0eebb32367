"""KServe v2 over HTTP in front of a fake Triton, which speaks gRPC only."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from aiohttp import web
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc import service_pb2, service_pb2_grpc

__all__ = ["http_gateway"]

JSON_SIZE = "Inference-Header-Content-Length"
STATUSES = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "UNAVAILABLE": 503}
"""What Triton answers over HTTP for its gRPC statuses; 500 for any other."""


@asynccontextmanager
async def http_gateway(grpc_address: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve HTTP on a free port, and yield its ``host:port``."""
    async with grpc.aio.insecure_channel(grpc_address) as channel:
        gateway = _Gateway(service_pb2_grpc.GRPCInferenceServiceStub(channel))
        runner = web.AppRunner(gateway.app, handler_cancellation=True, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        try:
            yield f"127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


class _Gateway:
    def __init__(self, stub: Any) -> None:
        self.stub = stub
        self.app = web.Application(middlewares=[_statuses])
        self.app.add_routes(
            [
                web.get("/v2/health/ready", self.ready),
                web.get("/v2/models/stats", self.statistics),
                web.get("/v2/models/{name}/config", self.config),
                web.post("/v2/models/{name}/infer", self.infer),
            ]
        )

    async def ready(self, request: web.Request) -> web.Response:
        response = await self.stub.ServerReady(service_pb2.ServerReadyRequest())
        return web.Response(status=200 if response.ready else 400)

    async def statistics(self, request: web.Request) -> web.Response:
        response = await self.stub.ModelStatistics(service_pb2.ModelStatisticsRequest())
        return web.json_response({"model_stats": [], **_to_json(response)})

    async def config(self, request: web.Request) -> web.Response:
        wanted = service_pb2.ModelConfigRequest(name=request.match_info["name"])
        return web.json_response(_to_json((await self.stub.ModelConfig(wanted)).config))

    async def infer(self, request: web.Request) -> web.Response:
        body, json_size = await request.read(), int(request.headers[JSON_SIZE])
        header = json.loads(body[:json_size])
        wanted = service_pb2.ModelInferRequest(
            model_name=request.match_info["name"], raw_input_contents=[body[json_size:]]
        )
        for tensor in header["inputs"]:
            wanted.inputs.add(name=tensor["name"], datatype=tensor["datatype"], shape=tensor["shape"])
        for output in header["outputs"]:
            wanted.outputs.add(name=output["name"])
        return _infer_response(await self.stub.ModelInfer(wanted))


@web.middleware
async def _statuses(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        return await handler(request)
    except grpc.RpcError as exc:
        status = STATUSES.get(exc.code().name, 500)
        return web.json_response({"error": exc.details()}, status=status)


def _to_json(message: Any) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


def _infer_response(response: Any) -> web.Response:
    outputs = [
        {
            "name": output.name,
            "datatype": output.datatype,
            "shape": list(output.shape),
            "parameters": {"binary_data_size": len(content)},
        }
        for output, content in zip(response.outputs, response.raw_output_contents, strict=True)
    ]
    header = json.dumps({"model_name": response.model_name, "outputs": outputs}).encode()
    body = header + b"".join(response.raw_output_contents)
    return web.Response(body=body, headers={JSON_SIZE: str(len(header))})
