"""Parsers of what a bridge or a Triton answers, which may be another's than one thinks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from tritonclient.grpc import InferResult, service_pb2

from bridge.live.wire import Flags, Packet
from lipsync_client import grpc_wire, http_wire, speech_wire
from lipsync_client.errors import LipsyncError
from lipsync_client.failures import HttpRefusal
from lipsync_client.wire import AvatarMetadata, parse_frames, parse_metadata
from tests.fuzz.parser import Parser

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


def speech_event(message: bytes) -> None:
    """An event has what its type has."""
    event = speech_wire.parse_event("demo", message.decode(errors="replace"))
    assert event is None or type(event) in speech_wire.EVENTS.values()


def speech_picture(message: bytes) -> None:
    """A picture that is taken is the one that a bridge would write."""
    picture = speech_wire.parse_picture("demo", message)
    if picture is None:
        return
    sample = -1 if picture.sample is None else picture.sample
    again = Packet(
        Flags(int(picture.flags)),
        *(picture.epoch, picture.number, picture.frame_id, sample),
        *(picture.bounds, picture.border, picture.jpeg),
    ).encode()
    assert again[:44] == message[:44]
    assert again[48:] == message[48:]


def speech_refusal(body: bytes) -> None:
    """The answer to a handshake that is refused says a sentence, whatever it is."""
    assert isinstance(speech_wire.error_sentence(body, "otherwise"), str)


def http_frames(content: bytes) -> None:
    """Frames are as many as were asked for; content is the header's size, a line end, and the body."""
    size, _, body = content.partition(b"\n")
    answer = http_wire.infer_call("demo", [7, 8]).parse(
        http_wire.HttpResponse(200, body, size.decode("latin-1") or None)
    )
    frames = parse_frames("demo", [7, 8], answer, 1.0)
    assert all(isinstance(frame.jpeg, bytes) and len(frame.bounds) == 4 for frame in frames)


def http_status(body: bytes) -> None:
    """A refusal has a reason, whatever its body is."""
    http_wire.models_call().parse(http_wire.HttpResponse(200 if body[:1] == b"{" else 500, body))


def grpc_frames(content: bytes) -> None:
    """The same over gRPC."""
    answer = InferResult(service_pb2.ModelInferResponse.FromString(content))
    frames = parse_frames("demo", [7, 8], answer, 1.0)
    assert all(isinstance(frame.jpeg, bytes) and len(frame.bounds) == 4 for frame in frames)


def http_metadata(body: bytes) -> None:
    """An avatar's facts are numbers where they have to be; the same body is both models' configuration."""
    response = http_wire.HttpResponse(200, body)
    configs = [http_wire.config_call(name, "demo").parse(response) for name in ("demo_frames", "demo")]
    _check(parse_metadata("demo", *configs))


def grpc_metadata(content: bytes) -> None:
    """The same over gRPC."""
    response = service_pb2.ModelConfigResponse.FromString(content)
    config = grpc_wire.config_call("demo", "demo").parse(response)
    _check(parse_metadata("demo", config, config))


def _check(metadata: AvatarMetadata) -> None:
    assert metadata.max_batch_size >= 1
    assert metadata.frame_count >= 1
    assert 0 < metadata.fps < float("inf")


def _events() -> list[bytes]:
    started = {
        "session": "s",
        "avatar": "demo",
        "epoch": 0,
        "fps": 25,
        "frame_count": 555,
        "width": 320,
        "height": 320,
    }
    started |= {
        "border": 4,
        "sample_rate": 16000,
        "samples_per_frame": 640.0,
        "look_ahead_ms": 300,
        "lead_ms": 2000,
    }
    events: list[dict[str, Any]] = [{"type": "started", **started, "held_ms": 30000}]
    events += [{"type": kind, "sample": 0, "number": 3, "epoch": 0} for kind in ("speaking", "idle")]
    events += [
        {"type": "ended", "number": 5, "sample": 0, "epoch": 1, "frames": 20, "pictures": 20, "skipped": 0}
    ]
    events += [{"type": "interrupted", "epoch": 1, "sample": None, "number": 3}]
    events += [
        {"type": "error", "code": "internal", "error": "why", "fatal": False},
        {"type": "pong", "id": 1},
    ]
    return [json.dumps(event).encode() for event in events]


def _pictures() -> list[bytes]:
    packet = Packet(Flags.SPEECH | Flags.FIRST, 1, 2, 3, 640, (10, 20, 338, 348), 4, JPEG)
    silent = Packet(Flags.SILENT, 0, 2**32 - 1, 3, -1, (-5, 0, 1, 1), 4, JPEG)
    return [packet.encode(), silent.encode()]


def _tensors() -> tuple[bytes, bytes]:
    jpegs = b"".join(len(JPEG).to_bytes(4, "little") + JPEG for _ in range(2))
    return jpegs, np.arange(8, dtype="<i4").tobytes()


def _http_frames() -> list[bytes]:
    jpegs, bounds = _tensors()
    outputs = [
        {
            "name": "jpeg",
            "datatype": "BYTES",
            "shape": [2, 1],
            "parameters": {"binary_data_size": len(jpegs)},
        },
        {
            "name": "bounds",
            "datatype": "INT32",
            "shape": [2, 4],
            "parameters": {"binary_data_size": len(bounds)},
        },
    ]
    head = json.dumps({"model_name": "demo", "model_version": "1", "outputs": outputs}).encode()
    bounds_only = {"name": "bounds", "datatype": "INT32", "shape": [2, 4], "data": [1] * 8}
    plain = json.dumps({"outputs": [bounds_only]}).encode()
    return [b"%d\n" % len(head) + head + jpegs + bounds, b"%d\n" % len(plain) + plain, b"\n" + plain]


def _grpc_frames() -> list[bytes]:
    response = service_pb2.ModelInferResponse(model_name="demo", raw_output_contents=_tensors())
    response.outputs.add(name="jpeg", datatype="BYTES", shape=[2, 1])
    response.outputs.add(name="bounds", datatype="INT32", shape=[2, 4])
    return [response.SerializeToString()]


def _configs() -> list[bytes]:
    values = {"frame_count": "555", "fps": "25.0", "audio_mode": "ave", "edge_padding": "zeros"}
    parameters = {key: {"string_value": value} for key, value in values.items()}
    return [json.dumps({"name": "demo", "max_batch_size": 8, "parameters": parameters}).encode()]


def _grpc_configs() -> list[bytes]:
    response = service_pb2.ModelConfigResponse()
    response.config.max_batch_size = 8
    for key, value in {"frame_count": "5", "fps": "25", "audio_mode": "ave", "edge_padding": "zeros"}.items():
        response.config.parameters[key].string_value = value
    return [response.SerializeToString()]


ALL = (LipsyncError, HttpRefusal)
ANSWERS = (
    Parser(name="speech_event", parse=speech_event, refuses=ALL, seeds=_events),
    Parser(name="speech_picture", parse=speech_picture, refuses=ALL, seeds=_pictures),
    Parser(
        name="speech_refusal",
        parse=speech_refusal,
        refuses=(),
        seeds=lambda: [b'{"error": "why", "code": "a"}'],
    ),
    Parser(name="http_frames", parse=http_frames, refuses=ALL, seeds=_http_frames),
    Parser(
        name="http_status",
        parse=http_status,
        refuses=ALL,
        seeds=lambda: [b'{"model_stats": [{"name": "demo"}]}', b' {"error": "why"}', b"<html>"],
    ),
    Parser(name="http_metadata", parse=http_metadata, refuses=ALL, seeds=_configs),
    Parser(name="grpc_frames", parse=grpc_frames, refuses=(*ALL, DecodeError), seeds=_grpc_frames),
    Parser(name="grpc_metadata", parse=grpc_metadata, refuses=(*ALL, DecodeError), seeds=_grpc_configs),
)
