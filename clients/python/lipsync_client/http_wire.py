"""KServe v2 over HTTP: requests out, responses in, no I/O.

tritonclient writes and reads the bodies (JSON followed by raw tensors); its HTTP clients aren't used: the
sync one belongs to the thread that made it, and neither has a deadline of its own for connecting.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from lipsync_client.errors import InvalidAnswer
from lipsync_client.failures import HttpRefusal
from lipsync_client.wire import FRAME_ID, OUTPUTS, Answer, Call, frame_id_tensor

__all__ = [
    "JSON_SIZE",
    "HttpRequest",
    "HttpResponse",
    "config_call",
    "infer_call",
    "models_call",
    "ready_call",
]

JSON_SIZE = "Inference-Header-Content-Length"
"""Header that says how many bytes of a body are JSON; the rest are raw tensors."""

T = TypeVar("T")


@dataclass(frozen=True)
class HttpRequest:
    """One request; ``path`` begins with a slash."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HttpResponse:
    """One response, read to its end.

    Attributes:
        status: HTTP's status number.
        body: JSON, followed by raw tensors if ``json_size`` is given.
        json_size: Value of the header ``JSON_SIZE``.
    """

    status: int
    body: bytes
    json_size: str | None = None


def ready_call() -> Call[bool]:
    """Ask whether the server and every model it must serve are ready."""
    return Call(HttpRequest("GET", "/v2/health/ready"), lambda response: bool(response.status == 200))


def models_call() -> Call[list[str]]:
    """Ask for the names of the models that are ready; see ``grpc_wire.models_call``."""
    request = HttpRequest("GET", "/v2/models/stats")
    return Call(request, partial(_checked, "the statistics of models", _parse_models))


def config_call(model_name: str, avatar: str) -> Call[dict[str, Any]]:
    """Ask for the configuration of one of the models that make up ``avatar``."""
    request = HttpRequest("GET", f"{_model_path(model_name)}/config")
    return Call(request, partial(_checked, avatar, _parse_config), avatar)


def infer_call(model_name: str, frame_ids: Sequence[int]) -> Call[Answer]:
    """Ask an avatar for frames."""
    tensor = frame_id_tensor(frame_ids)
    frame_id = InferInput(FRAME_ID, list(tensor.shape), "INT32").set_data_from_numpy(tensor)
    outputs = [InferRequestedOutput(name, binary_data=True) for name in OUTPUTS]
    body, json_size = InferenceServerClient.generate_request_body([frame_id], outputs=outputs)
    request = HttpRequest("POST", f"{_model_path(model_name)}/infer", body, {JSON_SIZE: str(json_size)})
    return Call(request, partial(_checked, model_name, _parse_answer), model_name)


def _model_path(model_name: str) -> str:
    return f"/v2/models/{quote(model_name, safe='')}"


def _checked(subject: str, parse: Callable[[HttpResponse], T], response: HttpResponse) -> T:
    if response.status != 200:
        raise HttpRefusal(response.status, _error_text(response.body))
    try:
        return parse(response)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InferenceServerException) as exc:
        got = f"{response.body[:60]!r} ({len(response.body)} bytes)"
        raise InvalidAnswer(subject, "a KServe v2 body", got) from exc


def _parse_models(response: HttpResponse) -> list[str]:
    return [str(entry["name"]) for entry in json.loads(response.body)["model_stats"]]


def _parse_config(response: HttpResponse) -> dict[str, Any]:
    return dict(json.loads(response.body))


def _parse_answer(response: HttpResponse) -> Answer:
    answer: Answer = InferResult.from_response_body(response.body, header_length=response.json_size)
    return answer


def _error_text(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):  # a proxy's page, or nothing at all
        return body[:200].decode(errors="replace") or "an empty body"
