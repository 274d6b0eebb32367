"""What a session of live speech is told once: where the bridge is, whose face speaks, and what sound will come."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lipsync_client.errors import InvalidSetting, InvalidUrl
from lipsync_client.settings import Endpoint
from lipsync_client.speech_wire import FORMATS, PACINGS

__all__ = ["SpeechSettings", "parse_bridge_url"]

DEFAULT_PORTS = {"http": 8086, "https": 443}
SCHEMES = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
SAMPLE_RATES = range(8_000, 48_001)


@dataclass(frozen=True, kw_only=True)
class SpeechSettings:
    """Settings of one session.

    Attributes:
        endpoint: The bridge.
        avatar: Whose face speaks.
        sample_rate: Samples of the sound a second, 8000 to 48000.
        format: ``s16le`` or ``f32le``, mono.
        pacing: ``real_time``: 25 pictures a second, silent ones too; ``none``: those of speech only, as fast as they
            are made and read.
        low_latency: Whether pictures wait for less of the sound to come, and are less exact for it.
        connect_timeout_s: Deadline for opening the connection, in seconds.
        start_timeout_s: Deadline for the session to begin, in seconds: an avatar's first session measures the machine.
        answer_timeout_s: Deadline for the next message of the bridge while one is due, in seconds.
        root_certificates: PEM file of the authorities to trust instead of the system's, for TLS.
        token: What a bridge that asks for one is shown: a secret of its file, or one that is signed with it.

    Raises:
        InvalidSetting: If one has a value it cannot have.
    """

    endpoint: Endpoint
    avatar: str
    sample_rate: int = 16_000
    format: str = "s16le"
    pacing: str = "real_time"
    low_latency: bool = False
    connect_timeout_s: float = 5.0
    start_timeout_s: float = 30.0
    answer_timeout_s: float = 10.0
    root_certificates: str | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.avatar:
            raise InvalidSetting("avatar", "the name of an avatar", self.avatar)
        if self.sample_rate not in SAMPLE_RATES:
            raise InvalidSetting("sample_rate", "an integer from 8000 to 48000", self.sample_rate)
        for name, known in (("format", tuple(FORMATS)), ("pacing", PACINGS)):
            if getattr(self, name) not in known:
                raise InvalidSetting(name, f"one of {', '.join(known)}", getattr(self, name))
        for name in ("connect_timeout_s", "start_timeout_s", "answer_timeout_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise InvalidSetting(name, "a number of seconds above 0", getattr(self, name))
        if self.root_certificates is not None and not Path(self.root_certificates).is_file():
            raise InvalidSetting("root_certificates", "a PEM file", self.root_certificates)
        if self.token is not None and not TOKEN.fullmatch(self.token):
            raise InvalidSetting(
                "token", "letters, digits and ._~-", "something else"
            )  # it is told to nobody

    @property
    def headers(self) -> dict[str, str]:
        """What every request says of who asks."""
        return {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}

    @property
    def speech_url(self) -> str:
        """Where the WebSocket is."""
        return f"{'wss' if self.endpoint.is_tls else 'ws'}://{self.endpoint.address}/speech"


def parse_bridge_url(url: str) -> Endpoint:
    """Read a bridge's URL; a bare ``host:port`` means ``http://``, and ``ws`` the same as ``http``.

    A missing port is the bridge's own, 8086; with TLS it is 443.

    Raises:
        InvalidUrl: If scheme, host or port is missing or wrong, or if there is anything after the port.
    """
    example = "a URL like http://localhost:8086"
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError as exc:  # an unclosed bracket, a port that is no number
        raise InvalidUrl(url, str(exc), example) from exc
    if parts.scheme not in SCHEMES:
        raise InvalidUrl(url, f"the scheme must be one of {', '.join(SCHEMES)}", example)
    if not host or port == 0:
        raise InvalidUrl(url, "the host is missing" if not host else "the port must be 1 to 65535", example)
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise InvalidUrl(url, "only scheme, host and port may be given", example)
    scheme = SCHEMES[parts.scheme]
    return Endpoint(scheme, host, port or DEFAULT_PORTS[scheme])
