"""lipsync_client/speech_settings.py"""

from __future__ import annotations

import math
from typing import Any

import pytest

from lipsync_client import InvalidSetting, InvalidUrl
from lipsync_client.settings import Endpoint
from lipsync_client.speech_settings import SpeechSettings, parse_bridge_url


@pytest.mark.parametrize(
    ("url", "speech_url"),
    [
        ("http://localhost:8086", "ws://localhost:8086/speech"),
        ("localhost:9000", "ws://localhost:9000/speech"),
        ("bridge", "ws://bridge:8086/speech"),
        ("ws://10.0.0.7:8010/", "ws://10.0.0.7:8010/speech"),
        ("https://bridge.example", "wss://bridge.example:443/speech"),
        ("wss://bridge.example:8443", "wss://bridge.example:8443/speech"),
        ("http://[::1]:8086", "ws://[::1]:8086/speech"),
    ],
)
def test_where_the_websocket_is(url: str, speech_url: str) -> None:
    """Any usual way to write a bridge's address leads to its WebSocket."""
    assert SpeechSettings(endpoint=parse_bridge_url(url), avatar="demo").speech_url == speech_url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("grpc://localhost:8001", "the scheme must be one of http, ws, https, wss"),
        ("", "the host is missing"),
        ("localhost:0", "the port must be 1 to 65535"),
        ("http://localhost:x", "Port could not be cast to integer value as 'x'"),
        ("http://localhost:8086/speech", "only scheme, host and port may be given"),
    ],
)
def test_invalid_url(url: str, reason: str) -> None:
    """A URL that names no bridge is refused with the reason."""
    with pytest.raises(InvalidUrl) as caught:
        parse_bridge_url(url)
    assert str(caught.value) == f"expected a URL like http://localhost:8086, got {url!r}: {reason}"


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"avatar": ""}, "avatar must be the name of an avatar, got ''"),
        ({"sample_rate": 7999}, "sample_rate must be an integer from 8000 to 48000, got 7999"),
        ({"sample_rate": 16000.5}, "sample_rate must be an integer from 8000 to 48000, got 16000.5"),
        ({"format": "mp3"}, "format must be one of s16le, f32le, got 'mp3'"),
        ({"pacing": "fast"}, "pacing must be one of real_time, none, got 'fast'"),
        ({"connect_timeout_s": 0}, "connect_timeout_s must be a number of seconds above 0, got 0"),
        ({"start_timeout_s": math.inf}, "start_timeout_s must be a number of seconds above 0, got inf"),
        ({"answer_timeout_s": -1}, "answer_timeout_s must be a number of seconds above 0, got -1"),
        ({"token": "a b"}, "token must be letters, digits and ._~-, got 'something else'"),
        ({"root_certificates": "none.pem"}, "root_certificates must be a PEM file, got 'none.pem'"),
    ],
)
def test_invalid_settings(setting: dict[str, Any], sentence: str) -> None:
    """A value that cannot be is refused with its name, what was expected and what came."""
    settings = {"endpoint": Endpoint("http", "localhost", 8086), "avatar": "demo", **setting}
    with pytest.raises(InvalidSetting) as caught:
        SpeechSettings(**settings)
    assert str(caught.value) == sentence
