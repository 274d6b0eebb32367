"""Parsers of what clients of the bridge send, and of what its operator writes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from google.protobuf.message import DecodeError

from bridge import protocol
from bridge.access.client import Client
from bridge.access.door import Door
from bridge.access.tokens import Key, _encode, _signature, read_keys, sign, verify
from bridge.config import BridgeConfig, load_config
from bridge.errors import BridgeError
from bridge.front.head import MAX_HEAD_BYTES, read_head
from bridge.grpc_service import schema
from bridge.grpc_service.packages import allowed_folder
from bridge.http import _conditions, _parse_frame_path
from bridge.jpeg import jpeg_shape
from bridge.live import wire
from bridge.representation import Representation, select
from bridge.request_id import of_http
from speech.streaming import SoundStream
from tests.fuzz.parser import Parser

KEY = Key("web", "k" * 40)
CONTENT = bytes(range(200))
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
JPEG += (
    b"\xff\xc0\x00\x11\x08\x01\x48\x01\x48\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x0c"
    + b"\x55" * 40
)
MAX_MESSAGE_BYTES = 65536


def websocket_binary(message: bytes) -> None:
    """What is taken is written back as it came."""
    request = protocol.parse(message, MAX_MESSAGE_BYTES)
    assert isinstance(request, protocol.FrameRequest)
    assert protocol.encode_frame_request(request.model_name, request.frame_id) == message


def websocket_json(message: bytes) -> None:
    """What is taken has a name that Triton can be asked for, and can be told in an error."""
    request = protocol.parse(message.decode(errors="replace"), MAX_MESSAGE_BYTES)
    name = getattr(request, "model_name", "demo")
    assert 1 <= len(name.encode()) <= 255
    assert "\x00" not in name
    told = json.loads(protocol.encode_error(BridgeError(), request, "id"))
    assert told["model_name"] in (name, None)


def speech_control(message: bytes) -> None:
    """What is taken can be acted on."""
    control = wire.parse_control(message.decode(errors="replace"))
    if isinstance(control, wire.Start):
        SoundStream(control.sample_rate, control.format).flush()
        assert control.pacing in wire.PACINGS
        assert 1 <= len(control.avatar) <= 64
    if isinstance(control, wire.Ping):
        assert json.loads(wire.encode_event("pong", id=control.id))["id"] == control.id


def speech_sound(message: bytes) -> None:
    """Sound of any content is finite samples of -1.0 to 1.0, but for what a resampler adds."""
    stream = SoundStream(
        (8000, 16000, 44100, 48000)[len(message) % 4], ("s16le", "f32le")[len(message) // 4 % 2]
    )
    whole = len(message) // stream.bytes_per_sample * stream.bytes_per_sample
    for samples in (stream.feed(message[:whole]), stream.flush()):
        assert abs(samples).max(initial=0) < 2


def http_head(received: bytes) -> None:
    """A head is complete, no longer than it may be, and everything that is asked of it has an answer."""
    head = read_head(received)
    if head is None:
        assert len(received) < MAX_HEAD_BYTES
        return
    assert received.startswith(head.content)
    assert head.path
    assert isinstance(head.is_handshake, bool)
    assert of_http(head.target, head.headers)
    DOOR.check(head, Client("10.1.2.3"), is_open=False)
    selected = select(Representation("audio/wav", CONTENT, '"tag"'), _conditions(head))
    assert selected.body in CONTENT
    _parse_frame_path(head.path)


def tokens(token: bytes) -> None:
    """Nobody is let in but with the secret, or with what it signed."""
    whose = verify(token.decode("latin-1"), [KEY], 1e9)
    assert token.decode("latin-1") == KEY.secret or token.split(b".")[2] == SIGNED.split(b".")[2]
    assert whose.startswith("web")


def token_content(content: bytes) -> None:
    """Of what the secret signs, only that is taken which is valid now."""
    header, _, payload = content.partition(b"\n")
    signed = f"{_encode(header)}.{_encode(payload)}"
    assert verify(f"{signed}.{_signature(KEY, signed)}", [KEY], 1e9).startswith("web/")
    assert 1e9 - 10 < json.loads(payload)["exp"] < 1e9 + 90_000


def token_file(content: bytes) -> None:
    """Every key has a name and a secret of some length."""
    keys = read_keys("tokens_file", content.decode("ascii", errors="replace"))
    assert all(key.name and len(key.secret) >= 32 for key in keys)


def settings(content: bytes) -> None:
    """Settings that are taken once are taken again, as they were understood."""
    lines = content.decode(errors="replace").replace("\x00", "").splitlines()
    environ = dict(line.split("=", 1) for line in lines if "=" in line)
    config = load_config([], {key: value for key, value in environ.items() if not key.endswith("_FILE")})
    assert config == BridgeConfig(**vars(config))
    assert 1 <= len(config.addresses) <= 20


def package_folder(asked: bytes) -> None:
    """No path leads out of the folder that the operator allowed."""
    root = PACKAGES / "allowed"
    assert allowed_folder(root, asked.decode(errors="replace")).is_relative_to(root)


def grpc_requests(content: bytes) -> None:
    """What protobuf reads as any of the requests can be answered with a failure that says so."""
    first = content[:1] or b"\0"
    service = (schema.DEPLOYED, schema.SHORT)[first[0] >> 7]
    methods = METHODS[service]
    method = methods[first[0] % len(methods)]
    request = method.request_class.FromString(content[1:])
    answer = schema.failure(method.response_class, request, "why")
    assert answer is None or answer.SerializeToString()


def jpeg_header(content: bytes) -> None:
    """A shape is three numbers."""
    height, width, channels = map(int, jpeg_shape(content).split("x"))
    assert max(height, width) < 65536 > channels


def _heads() -> list[bytes]:
    handshake = (
        b"GET /ws?token=%s HTTP/1.1\r\nHost: localhost:8086\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    )
    handshake += b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    handshake += b"Origin: http://localhost:8086\r\nSec-WebSocket-Protocol: lipsync.speech.v1, lipsync.token.%s\r\n\r\n"
    frame = b"GET /frames/demo/7.jpg HTTP/1.1\r\nHost: [::1]:8086\r\nAuthorization: Bearer %s\r\nRange: bytes=5-70\r\n"
    frame += b'If-None-Match: W/"a", "b"\r\nIf-Range: "tag"\r\nX-Forwarded-For: 10.0.0.1, fe80::1%%eth0\r\n'
    frame += b"X-Request-ID: a-1\r\n\r\n"
    post = (
        b"POST http://a.example/frames/d%c3%a9mo/1.jpg?request_id=a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"
    )
    secret = KEY.secret.encode()
    return [
        handshake % (SIGNED, SIGNED),
        frame % secret,
        post,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ]


def _messages() -> list[bytes]:
    requests = [
        {"type": "inference", "model_name": "demo", "frame_id": 7, "request_id": "a-1"},
        {"type": "list_models"},
        {"type": "get_metadata", "model_name": "dé"},
        {"type": "get_video_frame", "model_name": "demo", "frame_id": 2147483647, "video_type": "full_body"},
    ]
    return [json.dumps(request, ensure_ascii=False).encode() for request in requests]


def _controls() -> list[bytes]:
    start = {
        "type": "start",
        "avatar": "demo",
        "sample_rate": 16000,
        "format": "s16le",
        "pacing": "real_time",
    }
    others = [{"type": "end"}, {"type": "interrupt"}, {"type": "ping", "id": 7}, {"type": "ping", "id": "a"}]
    return [json.dumps(control).encode() for control in [{**start, "low_latency": True}, *others]]


def _grpc() -> list[bytes]:
    seeds = []
    for high, service in enumerate((schema.DEPLOYED, schema.SHORT)):
        for number, method in enumerate(METHODS[service]):
            message = method.request_class()
            for field in message.DESCRIPTOR.fields:
                if isinstance(value := getattr(message, field.name), (str, int, float)):
                    setattr(message, field.name, type(value)("1"))
            seeds.append(bytes([high << 7 | number]) + message.SerializeToString())
    return seeds


def _made() -> Path:
    root = Path(tempfile.mkdtemp(prefix="fuzz-packages-", dir="/dev/shm"))
    (root / "allowed" / "anna" / "cache").mkdir(parents=True)
    (root / "allowed" / "anna" / "package_info.json").write_text("{}")
    (root / "elsewhere").mkdir()
    (root / "keys").write_text(f"{KEY.name} {KEY.secret}\n")
    return root


METHODS = {service: tuple(schema.methods(service)) for service in (schema.DEPLOYED, schema.SHORT)}
SIGNED = sign(KEY, 1e9 + 60, "someone").encode()
PACKAGES = _made()
DOOR = Door(BridgeConfig(tokens_file=str(PACKAGES / "keys"), trusted_proxies=("10.0.0.0/8",)))
SETTINGS = (
    b"BRIDGE_UPSTREAMS=localhost:8001,dns:///triton:8001,[::1]:9\nBRIDGE_INFER_TIMEOUT_S=2.5\nBRIDGE_PORT=8086\n",
    b"BRIDGE_NUM_SERVERS=3\nBRIDGE_START_PORT=9000\nBRIDGE_PORT_STEP=10\nBRIDGE_POLICY=round_robin\n",
    b"BRIDGE_ALLOWED_HOSTS=*.example.org,a\nBRIDGE_ALLOWED_ORIGINS=https://example.org,http://[::1]:80\n",
    b"BRIDGE_TRUSTED_PROXIES=10.0.0.0/8,::1\nBRIDGE_LOG_LEVEL=info\nBRIDGE_BACKENDS=a:1\n",
)
ALL = (BridgeError,)
REQUESTS = (
    Parser(
        name="websocket_binary",
        parse=websocket_binary,
        refuses=ALL,
        seeds=lambda: [
            protocol.encode_frame_request(*pair) for pair in (("demo", 7), ("dé" * 60, 2**32 - 1))
        ],
    ),
    Parser(name="websocket_json", parse=websocket_json, refuses=ALL, seeds=_messages),
    Parser(name="speech_control", parse=speech_control, refuses=ALL, seeds=_controls),
    Parser(
        name="speech_sound", parse=speech_sound, refuses=(), seeds=lambda: [CONTENT * 4, b"\0" * 320, b"\x7f"]
    ),
    Parser(name="http_head", parse=http_head, refuses=ALL, seeds=_heads),
    Parser(name="tokens", parse=tokens, refuses=ALL, seeds=lambda: [SIGNED, KEY.secret.encode()]),
    Parser(
        name="token_content",
        parse=token_content,
        refuses=ALL,
        seeds=lambda: [
            b'{"alg": "HS256", "typ": "JWT", "kid": "web"}\n{"exp": 1000000060, "sub": "a", "nbf": 999999990}',
            b'{"alg": "HS256"}\n{"exp": 1000000060.5}',
        ],
    ),
    Parser(
        name="token_file",
        parse=token_file,
        refuses=ALL,
        seeds=lambda: [f"# keys\nweb {'a' * 40}\n\nother\t{'B-._~' * 10}\n".encode()],
    ),
    Parser(name="settings", parse=settings, refuses=ALL, seeds=lambda: list(SETTINGS), runs=50_000),
    Parser(
        name="package_folder",
        parse=package_folder,
        refuses=ALL,
        seeds=lambda: [
            b"anna",
            str(PACKAGES / "allowed" / "anna").encode(),
            b"anna/../anna/cache",
            b"../elsewhere",
        ],
        runs=200_000,
    ),
    Parser(name="grpc_requests", parse=grpc_requests, refuses=(*ALL, DecodeError), seeds=_grpc),
    Parser(name="jpeg_header", parse=jpeg_header, refuses=ALL, seeds=lambda: [JPEG]),
)
