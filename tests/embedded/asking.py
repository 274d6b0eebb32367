"""Ask a real Triton, the way the tests of this folder need it."""

from __future__ import annotations

import urllib.request

import grpc
import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.grpc import service_pb2, service_pb2_grpc

from embedded import Server
from tests.embedded.processes import WAIT_S

PICTURE = np.full((1, 320, 320, 3), 200, np.uint8)


def encode_over_grpc(server: Server) -> bytes:
    """Have ``jpeg_encode`` make a JPEG."""
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        picture = tritonclient.grpc.InferInput("image", PICTURE.shape, "UINT8").set_data_from_numpy(PICTURE)
        result = client.infer("jpeg_encode", [picture], client_timeout=WAIT_S)
    return bytes(result.as_numpy("jpeg")[0, 0])


def encode_over_http(server: Server) -> bytes:
    with tritonclient.http.InferenceServerClient(server.http_url) as client:
        picture = tritonclient.http.InferInput("image", PICTURE.shape, "UINT8").set_data_from_numpy(PICTURE)
        result = client.infer("jpeg_encode", [picture])
    return bytes(result.as_numpy("jpeg")[0, 0])


def render(server: Server, avatar: str, frame_id: int) -> bytes:
    """Ask an avatar's ensemble for a frame."""
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        frame_ids = np.array([[frame_id]], np.int32)
        tensor = tritonclient.grpc.InferInput("frame_id", [1, 1], "INT32").set_data_from_numpy(frame_ids)
        return bytes(client.infer(avatar, [tensor], client_timeout=WAIT_S).as_numpy("jpeg")[0, 0])


def wait_ready(server: Server) -> None:
    """Return once the server answers, be it down for the moment."""
    with grpc.insecure_channel(server.grpc_url, [("grpc.max_reconnect_backoff_ms", 100)]) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        stub.ServerReady(service_pb2.ServerReadyRequest(), wait_for_ready=True, timeout=WAIT_S)


def metrics(server: Server) -> str:
    """Return what Prometheus would read."""
    with urllib.request.urlopen(server.metrics_url, timeout=WAIT_S) as answer:
        return str(answer.read(), "utf-8")
