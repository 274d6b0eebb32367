"""bridge/answer.py"""

import base64
import io
import json
import logging

import pytest

from bridge.answer import Answerer
from bridge.balancer import Balancer
from bridge.logs import JsonFormatter
from bridge.metrics import Metrics
from bridge.protocol import encode_frame_request
from bridge.service import Service
from tests.bridge.helpers import config_for
from tests.fake_triton import BOUNDS, fake_jpeg, fake_picture


@pytest.fixture
async def answerer(triton):
    config = config_for(triton)
    async with Balancer(config) as balancer:
        yield Answerer(Service(config, balancer, Metrics()), config.max_message_bytes)


async def ask(answerer, **fields):
    """Return the JSON answer to a JSON request."""
    return json.loads(await answerer.answer(json.dumps(fields), "id-1"))


async def test_binary(answerer):
    """A binary request is answered with the JPEG, bare."""
    assert await answerer.answer(encode_frame_request("echo", 7), "id-1") == fake_jpeg("echo", 7)


async def test_inference(answerer):
    """The JSON answer to ``inference`` has picture, shape, bounds and time."""
    answer = await ask(answerer, type="inference", model_name="echo", frame_id=7)
    assert answer.pop("processing_time_ms") > 0
    assert base64.b64decode(answer.pop("prediction_data")) == fake_jpeg("echo", 7)
    assert answer == {
        "type": "inference",
        "success": True,
        "request_id": "id-1",
        "model_name": "echo",
        "frame_id": 7,
        "prediction_shape": "256x256x3",
        "bounds": list(BOUNDS),
    }


async def test_list_models(answerer):
    """The JSON answer to ``list_models`` has the avatars' names and their number."""
    assert await ask(answerer, type="list_models") == {
        "type": "list_models",
        "success": True,
        "request_id": "id-1",
        "models": ["broken", "echo", "slow"],
        "count": 3,
    }


async def test_get_metadata(answerer):
    """The JSON answer to ``get_metadata`` has what a player needs to know."""
    assert await ask(answerer, type="get_metadata", model_name="echo") == {
        "type": "get_metadata",
        "success": True,
        "request_id": "id-1",
        "model_name": "echo",
        "frame_count": 150,
        "fps": 25.0,
        "audio_mode": "ave",
        "face_size": 320,
        "available_videos": ["full_body", "rois_320"],
        "bounds": list(BOUNDS),
    }


@pytest.mark.parametrize(
    ("asked", "answered", "picture"),
    [
        ("full_body", "full_body", fake_picture("echo", 7)),
        ("full_body_video", "full_body", fake_picture("echo", 7)),
        ("rois_320_video", "rois_320", fake_jpeg("jpeg_encode", 7)),
    ],
)
async def test_get_video_frame(answerer, asked, answered, picture):
    """The JSON answer to ``get_video_frame`` has the source picture, and its type in the short spelling."""
    answer = await ask(answerer, type="get_video_frame", model_name="echo", frame_id=7, video_type=asked)
    assert base64.b64decode(answer.pop("frame_data")) == picture
    assert answer == {
        "type": "get_video_frame",
        "success": True,
        "request_id": "id-1",
        "model_name": "echo",
        "frame_id": 7,
        "video_type": answered,
    }


@pytest.mark.parametrize(
    ("message", "code", "model_name", "frame_id"),
    [
        (b"", "bad_request", None, None),
        ("{", "bad_request", None, None),
        (bytes(4097), "message_too_large", None, None),
        ("x" * 4097, "message_too_large", None, None),
        (encode_frame_request("echo", 150), "invalid_frame_id", "echo", 150),
        (encode_frame_request("echo", 2**32 - 1), "invalid_frame_id", "echo", 2**32 - 1),
        (encode_frame_request("nobody", 1), "unknown_model", "nobody", 1),
        ('{"type": "get_metadata", "model_name": "nobody"}', "unknown_model", "nobody", None),
        (encode_frame_request("broken", 1), "internal", "broken", 1),
    ],
)
async def test_errors(answerer, message, code, model_name, frame_id):
    """Every error is a JSON answer with its code and, where known, the request's model and frame."""
    answer = json.loads(await answerer.answer(message, "id-1"))
    assert answer.pop("error")
    assert answer == {
        "type": "error",
        "success": False,
        "request_id": "id-1",
        "code": code,
        "model_name": model_name,
        "frame_id": frame_id,
    }


async def test_no_upstream(triton, answerer):
    """Without a Triton the code is ``unavailable``."""
    await triton.kill()
    answer = json.loads(await answerer.answer(encode_frame_request("echo", 1), "id-1"))
    assert (answer["code"], answer["model_name"]) == ("unavailable", "echo")


async def test_details_go_to_the_log(answerer, caplog):
    """What Triton said about an internal error is in the log, and not in the answer."""
    with caplog.at_level(logging.ERROR, "bridge"):
        answer = await answerer.answer(encode_frame_request("broken", 1), "id-1")
    assert "secret" not in answer
    assert "the secret of model 'broken'" in caplog.text


async def test_a_bug_is_an_internal_error(answerer, caplog, monkeypatch):
    """An exception nobody foresaw is answered as internal, and its traceback is in the log."""

    async def fail(model_name, frame_id):
        raise RuntimeError("a bug's secret")

    monkeypatch.setattr(answerer._service, "render", fail)
    answer = await answerer.answer(encode_frame_request("echo", 1), "id-1")
    assert json.loads(answer)["code"] == "internal"
    assert "secret" not in answer
    assert "a bug: FrameRequest(model_name='echo', frame_id=1) ended with a foreign exception" in caplog.text
    assert "RuntimeError: a bug's secret" in caplog.text


async def test_the_id_reaches_triton_and_comes_back(triton, answerer):
    """Triton's request has the id of the binary request, or the one that a JSON request brought."""
    await answerer.answer(encode_frame_request("echo", 1), "id-7")
    answer = await ask(answerer, type="inference", model_name="echo", frame_id=2, request_id="mine")
    assert triton.request_ids == ["id-7", "mine"]
    assert answer["request_id"] == "mine"


async def test_the_id_is_in_the_log(answerer):
    """What is logged about a request is logged under its id."""
    handler = logging.StreamHandler(text := io.StringIO())
    handler.setFormatter(JsonFormatter())
    logging.getLogger("bridge").addHandler(handler)
    try:
        await answerer.answer(encode_frame_request("broken", 1), "id-9")
    finally:
        logging.getLogger("bridge").removeHandler(handler)
    line = json.loads(text.getvalue())
    assert (line["level"], line["request_id"]) == ("error", "id-9")
    assert "the secret of model 'broken'" in line["message"]
