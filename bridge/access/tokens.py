"""Tokens, without I/O: the secrets of services, and short-lived signed ones for browsers.

A signed token is a JSON Web Token (RFC 7519) with the algorithm HS256, which every language has a library for::

    header   {"alg": "HS256", "typ": "JWT", "kid": NAME}      kid may be absent
    payload  {"exp": UNIX TIME, "sub": WHOSE}                 sub may be absent: whose connections are counted together

signed with the secret of that name. No other algorithm is taken.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.access.errors import Unauthorized
from bridge.errors import ConfigError

__all__ = ["MAX_LIFETIME_S", "MIN_SECRET_CHARACTERS", "Key", "read_keys", "sign", "verify", "verify_signed"]

MAX_LIFETIME_S = 86_400
"""A token that is valid for longer is taken for a mistake."""

MIN_SECRET_CHARACTERS = 32
MAX_TIME_S = 2**53
SLACK_S = 5.0
"""How much clocks may differ."""

NAME = r"[A-Za-z0-9_-]{1,64}"
LINE = re.compile(rf"({NAME})[ \t]+([A-Za-z0-9._~-]{{{MIN_SECRET_CHARACTERS},512}})")
SIGNED = re.compile(r"eyJ[A-Za-z0-9_-]{1,1024}\.[A-Za-z0-9_-]{1,1024}\.[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Key:
    """A secret that services show, and that signs tokens for browsers.

    Attributes:
        name: Whose it is; in the log, where the secret never is.
        secret: The secret.
    """

    name: str
    secret: str

    def __repr__(self) -> str:
        return f"Key({self.name!r})"


def read_keys(setting: str, text: str) -> tuple[Key, ...]:
    """Return the keys in the text of a file: a name and a secret in each line; empty ones and ``#`` are left out.

    Several lines may have one name, as while a secret is being replaced.

    Args:
        setting: What the file belongs to, for the error.
        text: Its content.

    Raises:
        ConfigError: If a line is something else, or there is none.
    """
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line.strip())
        if match is None:  # the line itself is told to nobody
            expected = (
                f"NAME SECRET in each line, the secret of {MIN_SECRET_CHARACTERS} letters, digits or ._~-"
            )
            raise ConfigError(setting, f"{expected} or more", f"something else in line {number}")
        keys.append(Key(match.group(1), match.group(2)))
    if not keys:
        raise ConfigError(setting, "a line NAME SECRET", "none")
    return tuple(keys)


def sign(key: Key, expires_s: float, subject: str = "") -> str:
    """Return a signed token.

    Args:
        key: What signs it.
        expires_s: Until when it is valid, in Unix time.
        subject: Whose it is, if that is to be told apart.
    """
    header = {"alg": "HS256", "typ": "JWT", "kid": key.name}
    payload: dict[str, object] = {"exp": int(expires_s)}
    if subject:
        payload["sub"] = subject
    signed = f"{_encode(json.dumps(header).encode())}.{_encode(json.dumps(payload).encode())}"
    return f"{signed}.{_signature(key, signed)}"


def verify(token: str, keys: Sequence[Key], now_s: float) -> str:
    """Return what tells the bearer of a secret or of a signed token from others.

    Raises:
        Unauthorized: If it is neither.
    """
    if SIGNED.fullmatch(token):
        return verify_signed(token, keys, now_s)
    # all of them, each in constant time: how long it takes tells nothing
    known = [key.name for key in keys if hmac.compare_digest(key.secret.encode(), token.encode())]
    if not known:
        raise Unauthorized("another")
    return known[0]


def verify_signed(token: str, keys: Sequence[Key], now_s: float) -> str:
    """Return what tells the bearer of a signed token from others.

    Raises:
        Unauthorized: If it is none, of no known key, or not valid now.
    """
    if not SIGNED.fullmatch(token):
        raise Unauthorized("one that is not signed")
    signed, _, signature = token.rpartition(".")
    signers = [key for key in keys if hmac.compare_digest(_signature(key, signed), signature)]
    if not signers:
        raise Unauthorized("another")
    header, payload = (_decode(part) for part in signed.split("."))
    name = header.get("kid", signers[0].name)
    if header.get("alg") != "HS256" or name not in [key.name for key in signers]:
        raise Unauthorized("one of another algorithm or key")
    _check_times(payload, now_s)
    subject = payload.get("sub", hashlib.sha256(token.encode()).hexdigest()[:16])
    if not isinstance(subject, str) or len(subject) > 128:
        raise Unauthorized("one whose sub is no string of up to 128 characters")
    return f"{name}/{subject}"


def _check_times(payload: dict[str, Any], now_s: float) -> None:
    expires_s, from_s = _time(payload.get("exp")), _time(payload.get("nbf", 0))
    if expires_s < now_s - SLACK_S:
        raise Unauthorized("one that has expired")
    if expires_s > now_s + MAX_LIFETIME_S + SLACK_S:
        raise Unauthorized(f"one that is valid for more than {MAX_LIFETIME_S} s")
    if from_s > now_s + SLACK_S:
        raise Unauthorized("one that is not valid yet")


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MAX_TIME_S:
        raise Unauthorized("one without an end")
    return value


def _signature(key: Key, signed: str) -> str:
    return _encode(hmac.digest(key.secret.encode(), signed.encode(), "sha256"))


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(part: str) -> dict[str, Any]:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError) as exc:
        raise Unauthorized("one that cannot be read") from exc
    if not isinstance(decoded, dict):
        raise Unauthorized("one that cannot be read")
    return decoded
