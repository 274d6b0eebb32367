"""bridge/http.py"""

import asyncio
import io
import json
import time
import wave

import numpy as np
import pytest

from bridge.access.tokens import Key, sign
from bridge.http import load_static_files
from bridge.limit import FIRST
from bridge.server import serve
from tests.bridge.helpers import config_for, exchange, http
from tests.fake_triton import FakeTriton, fake_jpeg, fake_sound

SECRET = "s" * 32


async def get_json(bridge, path):
    status, headers, body = await http(bridge.port, path)
    assert headers["content-type"] == "application/json"
    return status, json.loads(body)


async def test_health(triton, bridge):
    """Health has the predecessor's shape, and calls nothing."""
    upstream = {
        "address": triton.address,
        "healthy": True,
        "total_requests": 0,
        "error_count": 0,
        "failing_models": [],
    }
    healthy = {"healthy": True, "total_backends": 1, "healthy_count": 1, "backends": [upstream]}
    assert await get_json(bridge, "/health") == (200, healthy)
    assert not triton.calls


async def test_health_of_some():
    """One ready upstream is enough to be healthy."""
    async with FakeTriton() as first, FakeTriton() as second:
        second.set_ready(False)
        async with serve(config_for(first, second)) as bridge:
            status, health = await get_json(bridge, "/health")
    assert (status, health["healthy"], health["healthy_count"]) == (200, True, 1)
    assert [upstream["healthy"] for upstream in health["backends"]] == [True, False]


async def test_health_of_none(triton, bridge):
    """Without a ready upstream health is 503."""
    triton.set_ready(False)
    await triton.wait_for_probes(2)
    status, health = await get_json(bridge, "/health")
    assert (status, health["healthy"], health["healthy_count"]) == (503, False, 0)


async def test_health_of_one_that_fails(triton, bridge):
    """A Triton that calls itself ready and fails every frame is not healthy, and says which model's process died."""
    triton.failing.add("echo")
    for _ in range(5):
        assert (await http(bridge.port, "/frames/echo/1.jpg"))[0] == 500
    status, health = await get_json(bridge, "/health")
    assert (status, health["healthy"], health["healthy_count"]) == (503, False, 0)
    assert health["backends"][0]["failing_models"] == ["echo"]


async def test_models(triton, bridge):
    """Models are the avatars, with what a player needs to know."""
    triton.unload_model("slow")
    triton.unload_model("broken")
    echo = {"name": "echo", "frame_count": 150, "fps": 25.0, "audio_mode": "ave", "face_size": 320}
    assert await get_json(bridge, "/models") == (200, {"models": [echo]})


async def test_frame(bridge):
    """A frame is the JPEG; whoever keeps it asks again, and is told that it has not changed."""
    status, headers, body = await http(bridge.port, "/frames/echo/7.jpg?anything")
    assert (status, body) == (200, fake_jpeg("echo", 7))
    assert (headers["content-type"], headers["cache-control"]) == ("image/jpeg", "no-cache")
    status, again, body = await http(bridge.port, "/frames/echo/7.jpg", if_none_match=headers["etag"])
    assert (status, body, again["etag"], again["cache-control"]) == (304, b"", headers["etag"], "no-cache")
    assert "content-length" not in again
    assert (await http(bridge.port, "/frames/echo/8.jpg", if_none_match=headers["etag"]))[0] == 200


async def test_frame_of_an_escaped_name():
    """A model's name in a path is percent-encoded."""
    async with FakeTriton(models=("ä b",)) as triton, serve(config_for(triton)) as bridge:
        assert (await http(bridge.port, "/frames/%C3%A4%20b/7.jpg"))[2] == fake_jpeg("ä b", 7)


async def test_audio(bridge):
    """An avatar's sound is one WAV file: 16 kHz mono, 16 bits, frame after frame."""
    status, headers, body = await http(bridge.port, "/audio/echo.wav")
    assert (status, headers["content-type"]) == (200, "audio/wav")
    with wave.open(io.BytesIO(body)) as file:
        assert file.getparams()[:4] == (1, 2, 16_000, 150 * 640)
        samples = np.frombuffer(file.readframes(150 * 640), "<i2").reshape(150, 640)
    np.testing.assert_array_equal(samples, [fake_sound(frame_id) for frame_id in range(150)])


async def test_parts_of_audio(bridge):
    """A part of the sound can be asked for; one that is not there is 416, and HEAD knows no parts."""
    _, headers, whole = await http(bridge.port, "/audio/echo.wav")
    assert (headers["accept-ranges"], headers["cache-control"]) == ("bytes", "no-cache")
    status, part, body = await http(bridge.port, "/audio/echo.wav", range="bytes=44-1323")
    assert (status, body) == (206, whole[44:1324])
    assert (part["content-range"], part["content-length"]) == (f"bytes 44-1323/{len(whole)}", "1280")
    assert (part["content-type"], part["etag"]) == ("audio/wav", headers["etag"])
    status, part, body = await http(bridge.port, "/audio/echo.wav", range=f"bytes={len(whole)}-")
    assert (status, part["content-range"]) == (416, f"bytes */{len(whole)}")
    assert json.loads(body) == {
        "code": "range_not_satisfiable",
        "error": f"range: expected one within {len(whole)} bytes, got 'bytes={len(whole)}-'",
    }
    status, part, _ = await http(bridge.port, "/audio/echo.wav", "HEAD", range="bytes=44-1323")
    assert (status, part["content-length"]) == (200, str(len(whole)))
    assert (await http(bridge.port, "/audio/echo.wav", if_none_match=headers["etag"]))[0] == 304


async def test_audio_for_many(triton, bridge):
    """Viewers who ask for a clip's sound at once have Triton asked once."""
    answers = await asyncio.gather(*(http(bridge.port, "/audio/echo.wav") for _ in range(100)))
    assert {status for status, _, _ in answers} == {200}
    assert len({body for _, _, body in answers}) == 1
    assert triton.calls["echo_frames"] == 10


async def test_audio_of_a_silent_avatar():
    """An avatar whose clip is silent has no sound to fetch."""
    async with FakeTriton(models=("silent",)) as triton, serve(config_for(triton)) as bridge:
        status, error = await get_json(bridge, "/audio/silent.wav")
    assert (status, error["code"]) == (404, "no_sound")


@pytest.mark.parametrize(
    ("path", "status", "code", "sentence"),
    [
        ("/audio/nobody.wav", 404, "unknown_model", "expected the name of a loaded model, got 'nobody'"),
        ("/audio/%ff.wav", 400, "bad_request", "model name: expected UTF-8, got '%ff'"),
        ("/audio/echo", 400, "bad_request", "path: expected /audio/<model>.wav, got '/audio/echo'"),
        ("/frames/echo/x.jpg", 400, "bad_request", "frame id: expected an integer, got 'x'"),
        ("/frames/%ff/1.jpg", 400, "bad_request", "model name: expected UTF-8, got '%ff'"),
        (
            "/frames/echo",
            400,
            "bad_request",
            "path: expected /frames/<model>/<frame id>.jpg, got '/frames/echo'",
        ),
        (
            "/frames/echo/150.jpg",
            400,
            "invalid_frame_id",
            "in ensemble 'echo', frame_id 150 is outside [0, 149] of model 'echo_frames'",
        ),
        ("/frames/echo/-1.jpg", 400, "invalid_frame_id", "frame_id -1 is outside [0, 2147483647]"),
        ("/frames/nobody/1.jpg", 404, "unknown_model", "expected the name of a loaded model, got 'nobody'"),
        (
            "/frames/broken/1.jpg",
            500,
            "internal",
            "expected an answer of Triton, got an internal error; the bridge's log has the details",
        ),
        ("/nothing", 404, "not_found", "path: expected a page, got '/nothing'"),
        ("/../config.py", 404, "not_found", "path: expected a page, got '/../config.py'"),
        ("/%2e%2e/config.py", 404, "not_found", "path: expected a page, got '/%2e%2e/config.py'"),
        ("/ws", 426, "upgrade_required", "/ws: expected a WebSocket handshake, got a plain request"),
    ],
)
async def test_errors(bridge, path, status, code, sentence):
    """Every error has its status, its code and its sentence."""
    assert await get_json(bridge, path) == (status, {"code": code, "error": sentence})


async def test_unavailable_and_timeout():
    """Without a Triton a frame is 503, with one that does not answer 504."""
    async with FakeTriton() as triton, serve(config_for(triton, infer_timeout_s=0.05)) as bridge:
        status, error = await get_json(bridge, "/frames/slow/1.jpg")
        assert (status, error["code"]) == (504, "timeout")
        await triton.kill()
        for path in ("/frames/echo/1.jpg", "/models"):
            status, error = await get_json(bridge, path)
            assert (status, error["code"]) == (503, "unavailable")


async def test_overload(triton, bridge):
    """A frame that does not get its turn is 503, and says when to come again; health goes on."""
    running = [
        asyncio.create_task(http(bridge.port, f"/frames/slow/{number}.jpg")) for number in range(FIRST)
    ]
    await triton.wait_for_calls("slow", FIRST)
    waiting = [asyncio.create_task(http(bridge.port, f"/frames/slow/{number}.jpg")) for number in range(3)]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    status, headers, body = await done.pop()
    assert (status, headers["retry-after"], json.loads(body)["code"]) == (503, "1", "overloaded")
    assert (await http(bridge.port, "/health"))[0] == 200
    triton.release.set()
    assert {status for status, *_ in await asyncio.gather(*running)} == {200}
    await asyncio.gather(*waiting)


async def test_overloaded(caplog):
    """A full queue is 503, and in the log."""
    async with FakeTriton(models=("full",)) as triton, serve(config_for(triton)) as bridge:
        status, error = await get_json(bridge, "/frames/full/1.jpg")
    assert (status, error["code"]) == (503, "overloaded")
    assert "expected room in Triton's queue for model 'full'" in caplog.text


async def test_a_secret(triton, caplog, tmp_path):
    """With Triton's secret the bridge lists its models; without, that is 502, and the log says why."""
    triton.secret = "letmein"
    path = tmp_path / "secret"
    path.write_text("letmein\nanother line\n")
    async with serve(config_for(triton, triton_secret_file=str(path))) as bridge:
        assert (await http(bridge.port, "/models"))[0] == 200
    async with serve(config_for(triton)) as bridge:
        status, error = await get_json(bridge, "/models")
        assert (await http(bridge.port, "/frames/echo/1.jpg"))[0] == 200
    assert (status, error["code"]) == (502, "refused")
    assert "refused the bridge's secret" in caplog.text
    assert "letmein" not in caplog.text


async def test_a_bug_is_an_internal_error(bridge, caplog, monkeypatch):
    """An exception nobody foresaw is 500, and its traceback is in the log."""

    def fail():
        raise RuntimeError("a bug's secret")

    monkeypatch.setattr(bridge._routes, "_health", fail)
    status, error = await get_json(bridge, "/health")
    assert (status, error["code"]) == (500, "internal")
    assert "secret" not in error["error"]
    assert "a bug: '/health' ended with a foreign exception" in caplog.text
    assert "RuntimeError: a bug's secret" in caplog.text


async def test_metrics(bridge):
    """Metrics are Prometheus' text, with the upstream in them."""
    await http(bridge.port, "/frames/echo/1.jpg")
    status, headers, body = await http(bridge.port, "/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'lipsync_bridge_frames_total{code="ok",model="echo"} 1.0\n' in body
    assert b"lipsync_bridge_upstream_up{" in body


async def test_page(bridge):
    """The page is served at the root, and asked for again each time."""
    status, headers, body = await http(bridge.port, "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert headers["cache-control"] == "no-cache"
    assert (await http(bridge.port, "/", if_none_match=headers["etag"]))[0] == 304
    assert headers["x-content-type-options"] == "nosniff"
    assert int(headers["content-length"]) == len(body)
    assert body.lower().startswith(b"<!doctype html>")


async def test_head(bridge):
    """HEAD has the headers of GET, and no body."""
    status, headers, body = await http(bridge.port, "/frames/echo/7.jpg", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) == len(fake_jpeg("echo", 7))


async def test_request_id(triton, bridge):
    """A request's id comes back with the answer and goes to Triton; one that nobody gave is made."""
    _, headers, _ = await http(bridge.port, "/frames/echo/7.jpg?request_id=mine")
    assert headers["x-request-id"] == "mine"
    _, headers, _ = await http(bridge.port, "/frames/echo/7.jpg")
    assert triton.request_ids == ["mine", headers["x-request-id"]]
    assert len(headers["x-request-id"]) == 16


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods(bridge, method):
    """Any other method is 405, and the answer says which are allowed."""
    status, headers, body = await http(bridge.port, "/health", method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert json.loads(body) == {
        "code": "method_not_allowed",
        "error": f"method: expected GET or HEAD, got '{method}'",
    }


def test_static_files(tmp_path):
    """Static files are those of the known types, by URL path; index.html is also the root."""
    for name in ("index.html", "app.js", "img/logo.svg", "notes.xyz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    files = load_static_files(tmp_path)
    assert {path: (file.content_type, file.content) for path, file in files.items()} == {
        "/": ("text/html; charset=utf-8", b"index.html"),
        "/index.html": ("text/html; charset=utf-8", b"index.html"),
        "/app.js": ("text/javascript; charset=utf-8", b"app.js"),
        "/img/logo.svg": ("image/svg+xml", b"img/logo.svg"),
    }


async def test_a_name_that_leads_here(bridge):
    """Under a name that a foreign site has lead here, nothing is answered: not the page, health or a WebSocket."""
    request = "GET {} HTTP/1.1\r\nHost: evil.example\r\nX-Request-ID: mine\r\n\r\n"
    for path in ("/", "/health", "/metrics", "/frames/echo/1.jpg", "/nowhere"):
        status, headers, body = await exchange(bridge.port, request.format(path).encode())
        assert (status, headers["x-request-id"]) == (421, "mine")
        assert json.loads(body)["code"] == "wrong_host"


async def test_a_foreign_page(bridge):
    """What a foreign page asks for is refused, and no field lets it read the answer."""
    status, headers, body = await http(bridge.port, "/models", origin="https://evil.example")
    assert (status, json.loads(body)["code"]) == (403, "foreign_origin")
    assert "access-control-allow-origin" not in headers
    status, _, _ = await http(bridge.port, "/frames/echo/1.jpg", sec_fetch_site="cross-site")
    assert status == 403


async def test_a_page_of_a_listed_site(triton):
    """A listed site's page may ask, and read what it is answered."""
    site = "https://app.example"
    async with serve(config_for(triton, allowed_origins=(site,))) as bridge:
        status, headers, _ = await http(bridge.port, "/frames/echo/1.jpg", origin=site)
        assert (status, headers["access-control-allow-origin"], headers["vary"]) == (200, site, "Origin")
        status, headers, body = await http(bridge.port, "/models", "OPTIONS", origin=site)
        assert (status, headers["access-control-allow-methods"], body) == (204, "GET, HEAD", b"")
        assert (await http(bridge.port, "/models", "OPTIONS"))[0] == 405
        assert (await http(bridge.port, "/models", origin="https://other.example"))[0] == 403


@pytest.fixture
def tokens_file(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"site {SECRET}\n")
    return str(path)


async def test_tokens(triton, tokens_file):
    """With tokens everything but the page and health asks for one, in the header or, signed, in the address."""
    async with serve(config_for(triton, tokens_file=tokens_file)) as bridge:
        for path in (
            "/models",
            "/frames/echo/1.jpg",
            "/full_frames/echo/1.jpg",
            "/audio/echo.wav",
            "/metrics",
            "/no",
        ):
            status, headers, body = await http(bridge.port, path)
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
            assert json.loads(body)["code"] == "unauthorized"
        for path in ("/", "/app.js", "/health"):
            assert (await http(bridge.port, path))[0] == 200
        assert (await http(bridge.port, "/frames/echo/1.jpg", authorization=f"Bearer {SECRET}"))[0] == 200
        signed = sign(Key("site", SECRET), time.time() + 60)
        assert (await http(bridge.port, f"/metrics?token={signed}"))[0] == 200
        assert (await http(bridge.port, f"/metrics?token={SECRET}"))[0] == 401


async def test_requests_in_flight_of_one_token(triton, tokens_file):
    """A token has so many requests in flight."""
    async with serve(config_for(triton, tokens_file=tokens_file, requests_per_client=1)) as bridge:
        slow = asyncio.create_task(
            http(
                bridge.port, "/frames/slow/1.jpg", authorization=f"Bearer {SECRET}", x_forwarded_for="1.1.1.1"
            )
        )
        await triton.wait_for_calls("slow", 1)
        status, _, body = await http(bridge.port, "/frames/echo/1.jpg", authorization=f"Bearer {SECRET}")
        assert (status, json.loads(body)["code"]) == (429, "too_many")
        triton.release.set()
        assert (await slow)[0] == 200
