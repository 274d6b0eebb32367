"""Plain HTTP on the WebSocket port: health, metrics, models, single frames, sound, and the page's files.

One request per connection is answered, and none with a body, which is all these routes need.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote

from websockets.http11 import Response

from bridge import request_id
from bridge.access.client import Client
from bridge.access.door import Door
from bridge.balancer import Balancer
from bridge.errors import (
    BadRequest,
    BridgeError,
    InternalError,
    shown,
)
from bridge.front.head import Head
from bridge.metrics import CONTENT_TYPE
from bridge.protocol import check_model_name
from bridge.representation import Conditions, Representation, etag_of, select
from bridge.response import (
    JSON_TYPE,
    error_body,
    error_response,
    json_body,
    preflight_response,
    response_of,
    shared,
)
from bridge.service import Service
from bridge.turns import ask_as, patiently

__all__ = ["SPEECH_PATH", "STATIC_FOLDER", "MonitorRoutes", "Routes", "load_static_files"]

STATIC_FOLDER = Path(__file__).parent / "static"
SPEECH_PATH = "/speech"
WEBSOCKET_PATHS = ("/", "/ws", SPEECH_PATH)
ALWAYS_ANSWERED = ("/health", "/metrics")
NO_CACHE = "no-cache"  # kept, but asked for again by its entity tag: what is new shows at once
STATIC_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": JSON_TYPE,
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
logger = logging.getLogger(__name__)


def load_static_files(folder: Path) -> dict[str, Representation]:
    """Read the page's files, by URL path.

    They are few and small; once they are read, no request can reach a path outside the folder.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in STATIC_TYPES:
            url_path = f"/{path.relative_to(folder).as_posix()}"
            content = path.read_bytes()
            files[url_path] = Representation(STATIC_TYPES[path.suffix], content, etag_of(content))
    if "/index.html" in files:
        files["/"] = files["/index.html"]
    return files


class Routes:
    """Answers whatever is not a WebSocket handshake, and says what is one."""

    def __init__(
        self,
        service: Service,
        balancer: Balancer,
        metrics: Callable[[], Awaitable[bytes]],
        static_files: dict[str, Representation],
        door: Door,
        *,
        has_metrics: bool = True,
    ) -> None:
        self._service = service
        self._balancer = balancer
        self._metrics = metrics
        self._static_files = static_files
        self._door = door
        self._has_metrics = has_metrics

    def check(self, head: Head, client: Client) -> Client:
        """Return who asks.

        Raises:
            WrongHost: If it asks under a name that is not the bridge's.
            ForeignOrigin: If a page of another site asks.
            Unauthorized: If it shows no token that is valid now, and has to.
        """
        # the page brings its token along once it is loaded, and a preflight request cannot have any
        is_page = head.path in self._static_files and not head.is_handshake
        is_open = is_page or head.path == "/health" or head.method == "OPTIONS"
        found = self._door.check(head, client, is_open)
        ask_as(found.token or found.address)
        return found

    def is_handshake(self, head: Head) -> bool:
        """Return whether a WebSocket is to be opened."""
        return head.is_handshake and head.path in WEBSOCKET_PATHS

    def is_always_answered(self, head: Head) -> bool:
        """Return whether a request is answered however many connections there are."""
        return head.path in ALWAYS_ANSWERED

    async def answer(self, head: Head) -> Response:
        """Return the answer to a plain request; raises nothing."""
        response = await self._answer(head)
        if self._door.origin_rules.is_listed(head.headers):
            shared(response, head.headers["Origin"])
        response.headers[request_id.HEADER] = request_id.current.get()
        logger.debug("%s %s: %d", head.method, shown(head.path), response.status_code)
        if head.method == "HEAD":
            response.body = b""
        return response

    async def _answer(self, head: Head) -> Response:
        if head.method == "OPTIONS" and self._door.origin_rules.is_listed(head.headers):
            return preflight_response()
        if head.method not in ("GET", "HEAD"):
            error = error_body(
                "method_not_allowed", f"method: expected GET or HEAD, got {shown(head.method)}"
            )
            return response_of(HTTPStatus.METHOD_NOT_ALLOWED, JSON_TYPE, error, Allow="GET, HEAD")
        try:
            if head.has_body:
                raise BadRequest("body", "none", "one")
            found = await self._find(head.path)
            return await self._route(head.path) if found is None else _selected(found, _conditions(head))
        except BridgeError as exc:
            return error_response(exc)
        except Exception:
            logger.exception("a bug: %s ended with a foreign exception", shown(head.path))
            return error_response(InternalError("foreign exception"))

    async def _find(self, path: str) -> Representation | None:
        """Return what has an entity tag, None where ``path`` is of something else."""
        if path.startswith("/frames/"):
            return await self._frame(path)
        if path.startswith("/full_frames/"):
            return await self._full_frame(path)
        if path.startswith("/audio/"):
            return await self._sound(path)
        return self._static_files.get(path)

    async def _route(self, path: str) -> Response:
        if path == "/health":
            return self._health()
        if path == "/metrics" and self._has_metrics:
            return response_of(HTTPStatus.OK, CONTENT_TYPE, await self._metrics())
        if path == "/models":
            return await self._models()
        if path in ("/ws", SPEECH_PATH):
            error = error_body(
                "upgrade_required", f"{path}: expected a WebSocket handshake, got a plain request"
            )
            return response_of(HTTPStatus.UPGRADE_REQUIRED, JSON_TYPE, error, Upgrade="websocket")
        error = error_body("not_found", f"path: expected a page, got {shown(path)}")
        return response_of(HTTPStatus.NOT_FOUND, JSON_TYPE, error)

    def _health(self) -> Response:
        upstreams = self._balancer.upstreams
        healthy_count = self._balancer.healthy_count
        body = {  # the keys are published since the predecessor: their "backends" are our upstreams
            "healthy": healthy_count > 0,
            "total_backends": len(upstreams),
            "healthy_count": healthy_count,
            "backends": [
                {
                    "address": upstream.address,
                    "healthy": upstream.healthy,
                    "total_requests": upstream.total_requests,
                    "error_count": upstream.error_count,
                    "failing_models": upstream.failing_models,
                }
                for upstream in upstreams
            ],
        }
        status = HTTPStatus.OK if healthy_count else HTTPStatus.SERVICE_UNAVAILABLE
        return response_of(status, JSON_TYPE, json_body(body))

    async def _models(self) -> Response:
        models = []
        for metadata in await self._service.all_metadata():
            fields = dataclasses.asdict(metadata)
            keys = ("frame_count", "fps", "audio_mode", "face_size")
            models.append({"name": metadata.model_name, **{key: fields[key] for key in keys}})
        return response_of(HTTPStatus.OK, JSON_TYPE, json_body({"models": models}))

    async def _frame(self, path: str) -> Representation:
        jpeg = bytes(await self._service.render(*_parse_frame_path(path)))
        return Representation("image/jpeg", jpeg, etag_of(jpeg))

    async def _full_frame(self, path: str) -> Representation:
        model_name, frame_id = _parse_frame_path(path, "full_frames")
        with patiently():  # whoever pastes pictures asks for each once, and cannot go on without
            jpeg = bytes(await self._service.video_frame(model_name, frame_id, "full_body"))
        return Representation("image/jpeg", jpeg, etag_of(jpeg))

    async def _sound(self, path: str) -> Representation:
        match = re.fullmatch(r"/audio/([^/]+)\.wav", path)
        if match is None:
            raise BadRequest("path", "/audio/<model>.wav", shown(path))
        sound = await self._service.sound(_parse_model_name(match.group(1)))
        return Representation("audio/wav", sound.wav, sound.etag)


class MonitorRoutes(Routes):
    """Answers metrics and health alone, on a port of their own, to whoever can reach that."""

    def check(self, head: Head, client: Client) -> Client:
        """Return who asks; see ``Routes.check``."""
        return self._door.check(head, client, True)

    def is_handshake(self, head: Head) -> bool:
        """Return False: there are no WebSockets."""
        return False

    def is_always_answered(self, head: Head) -> bool:
        """Return True."""
        return True

    async def _find(self, path: str) -> Representation | None:
        return None

    async def _route(self, path: str) -> Response:
        return await super()._route(path if path in ALWAYS_ANSWERED else "")


def _parse_frame_path(path: str, folder: str = "frames") -> tuple[str, int]:
    match = re.fullmatch(rf"/{folder}/([^/]+)/([^/]*)\.jpg", path)
    if match is None:
        raise BadRequest("path", f"/{folder}/<model>/<frame id>.jpg", shown(path))
    model_name = _parse_model_name(match.group(1))
    if not re.fullmatch(r"-?[0-9]{1,12}", match.group(2)):
        raise BadRequest("frame id", "an integer", shown(match.group(2)))
    return model_name, int(match.group(2))


def _parse_model_name(quoted: str) -> str:
    try:
        return check_model_name(unquote(quoted, errors="strict"))
    except UnicodeDecodeError as exc:
        raise BadRequest("model name", "UTF-8", shown(quoted)) from exc


def _conditions(head: Head) -> Conditions:
    return Conditions(
        if_none_match=head.field("If-None-Match"),
        byte_range=head.field("Range") if head.method == "GET" else "",
        if_range=head.field("If-Range"),
    )


def _selected(found: Representation, conditions: Conditions) -> Response:
    selected = select(found, conditions)
    content_type, body = found.content_type, selected.body
    if selected.status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        sentence = (
            f"range: expected one within {len(found.content)} bytes, got {shown(conditions.byte_range)}"
        )
        content_type, body = JSON_TYPE, error_body("range_not_satisfiable", sentence)
    response = response_of(selected.status, content_type, body, cache_control=NO_CACHE, **selected.headers)
    if selected.status is HTTPStatus.NOT_MODIFIED:
        del response.headers["Content-Length"]  # that of the content would have to be here, or none
    return response
