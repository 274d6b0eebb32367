"""URLs and limits are checked when a client is made."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from lipsync_client import InvalidSetting, InvalidUrl
from lipsync_client.settings import Endpoint, Settings, parse_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("grpc://localhost:8001", Endpoint("grpc", "localhost", 8001)),
        ("localhost:9001", Endpoint("grpc", "localhost", 9001)),
        ("triton", Endpoint("grpc", "triton", 8001)),
        ("http://10.0.0.7:8010/", Endpoint("http", "10.0.0.7", 8010)),
        ("http://triton", Endpoint("http", "triton", 8000)),
        ("grpcs://triton.example", Endpoint("grpcs", "triton.example", 443)),
        ("https://triton.example", Endpoint("https", "triton.example", 443)),
        ("grpc://[::1]:8001", Endpoint("grpc", "::1", 8001)),
    ],
)
def test_parse_url(url: str, expected: Endpoint) -> None:
    """The scheme chooses transport and TLS; a bare address is gRPC; a missing port is the scheme's."""
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ws://localhost:8086", "the scheme must be one of grpc, http, grpcs, https"),
        ("", "the host is missing"),
        ("http://", "the host is missing"),
        ("grpc://localhost:eight", "Port could not be cast to integer value as 'eight'"),
        ("grpc://localhost:70000", "Port out of range 0-65535"),
        ("localhost:0", "the port must be 1 to 65535"),
        ("http://[::1", "Invalid IPv6 URL"),
        ("http://localhost:8000/v2/models", "only scheme, host and port may be given"),
        ("http://user@localhost:8000", "only scheme, host and port may be given"),
    ],
)
def test_invalid_url(url: str, reason: str) -> None:
    """A URL that names no server is refused with the reason."""
    with pytest.raises(InvalidUrl) as caught:
        parse_url(url)
    expected = "a URL like grpc://localhost:8001 or http://localhost:8000"
    assert str(caught.value) == f"expected {expected}, got {url!r}: {reason}"


def test_ipv6_address_gets_its_brackets_back() -> None:
    """An IPv6 endpoint is written as transports and people want it."""
    assert str(parse_url("http://[::1]:8000")) == "http://[::1]:8000"


@pytest.mark.parametrize("name", ["infer_timeout_s", "connect_timeout_s"])
@pytest.mark.parametrize("seconds", [0, -1.5, math.inf, math.nan])
def test_deadlines_are_finite_and_above_zero(name: str, seconds: float) -> None:
    """A deadline that never or always passes is refused, with its name."""
    with pytest.raises(InvalidSetting) as caught:
        Settings(endpoint=parse_url("triton"), **{name: seconds})
    assert str(caught.value) == f"{name} must be a number of seconds above 0, got {seconds!r}"


def test_missing_root_certificates(tmp_path: Path) -> None:
    """A PEM file that isn't there is refused at once, not at the first request."""
    path = str(tmp_path / "none.pem")
    with pytest.raises(InvalidSetting, match="root_certificates must be a PEM file"):
        Settings(endpoint=parse_url("grpcs://triton"), root_certificates=path)
