"""HTTP requests as KServe v2 specifies them, and responses that are no Triton's."""

from __future__ import annotations

import json

import pytest

from lipsync_client import InvalidAnswer
from lipsync_client.failures import HttpRefusal
from lipsync_client.http_wire import JSON_SIZE, HttpResponse, config_call, infer_call, models_call, ready_call


def test_infer_request() -> None:
    """A frame is asked for with four raw bytes behind the JSON, and raw outputs are asked for."""
    request = infer_call("demo", [258]).request
    json_size = int(request.headers[JSON_SIZE])
    header = json.loads(request.body[:json_size])
    assert (request.method, request.path) == ("POST", "/v2/models/demo/infer")
    assert request.body[json_size:] == b"\x02\x01\x00\x00"
    assert header["inputs"] == [
        {"name": "frame_id", "shape": [1, 1], "datatype": "INT32", "parameters": {"binary_data_size": 4}}
    ]
    assert [(o["name"], o["parameters"]["binary_data"]) for o in header["outputs"]] == [
        ("jpeg", True),
        ("bounds", True),
    ]


def test_model_names_are_quoted() -> None:
    """A name can't leave its place in the path."""
    assert config_call("../a?b", "a").request.path == "/v2/models/..%2Fa%3Fb/config"


def test_ready_by_status() -> None:
    """Readiness is the status alone."""
    assert [ready_call().parse(HttpResponse(status, b"")) for status in (200, 400, 503)] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"", b"[1]", b'{"outputs": 3}'])
def test_body_that_is_no_tritons(body: bytes) -> None:
    """A page where an answer was expected is quoted, by its first bytes and its length."""
    with pytest.raises(InvalidAnswer) as caught:
        infer_call("demo", [0]).parse(HttpResponse(200, body, json_size=str(len(body))))
    assert f"a KServe v2 body, got {body!r} ({len(body)} bytes)" in str(caught.value)


def test_nested_without_end() -> None:
    """JSON of a thousand levels is no answer, and no reason."""
    with pytest.raises(InvalidAnswer):
        models_call().parse(HttpResponse(200, b"[" * 100_000))
    with pytest.raises(HttpRefusal) as caught:
        models_call().parse(HttpResponse(500, b"[" * 100_000))
    assert caught.value.reason == "[" * 200


@pytest.mark.parametrize("body", [b'{"model_stats": [{"version": "1"}]}', b"[]"])
def test_statistics_that_are_no_list_of_models(body: bytes) -> None:
    """Statistics without names are refused."""
    with pytest.raises(InvalidAnswer, match="'the statistics of models' must answer a KServe v2 body"):
        models_call().parse(HttpResponse(200, body))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": "no"}', "no"),
        (b"<h1>Bad Gateway</h1>", "<h1>Bad Gateway</h1>"),
        (b"", "an empty body"),
    ],
)
def test_refusal_keeps_the_servers_words(body: bytes, reason: str) -> None:
    """Triton's JSON, a proxy's page and an empty body all give a reason."""
    with pytest.raises(HttpRefusal) as caught:
        infer_call("demo", [0]).parse(HttpResponse(502, body))
    assert (caught.value.status, caught.value.reason) == (502, reason)
