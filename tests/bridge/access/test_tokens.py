"""bridge/access/tokens.py"""

import base64
import hashlib
import hmac
import json

import pytest

from bridge.access.errors import Unauthorized
from bridge.access.tokens import MAX_LIFETIME_S, Key, read_keys, sign, verify, verify_signed
from bridge.errors import ConfigError

SITE = Key("site", "s" * 32)
OLD = Key("site", "o" * 40)
KEYS = (SITE, OLD, Key("robot", "r" * 32))
NOW_S = 1_800_000_000.0


def jwt(header, payload, secret=SITE.secret):
    """Make a token as RFC 7515 says, without the code under test."""

    def encode(content):
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    signed = ".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload))
    return f"{signed}.{encode(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


HEADER = {"alg": "HS256", "typ": "JWT", "kid": "site"}


def test_an_example_of_the_standard():
    """A token is signed as RFC 7519 has it: this one was made by another program."""
    key = Key("example", "your-256-bit-secret")
    token = (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
        "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
    )
    with pytest.raises(
        Unauthorized, match="got one without an end"
    ):  # its signature is right, and it has no exp
        verify(token, [key], NOW_S)
    with pytest.raises(Unauthorized, match="got another"):
        verify(token, [Key("example", "another-secret")], NOW_S)


def test_keys():
    """A file has a name and a secret in each line; a name may be there twice."""
    text = f"# services\n\nsite {'s' * 32}\nsite\t{'o' * 40}  \nrobot {'r' * 32}\n"
    assert read_keys("tokens_file", text) == KEYS
    assert "s" * 32 not in repr(KEYS)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("", "'none'"),
        ("# nothing\n", "'none'"),
        ("site short", "'something else in line 1'"),
        (f"\nsite {'ä' * 32}", "'something else in line 2'"),
        ("s" * 32, "'something else in line 1'"),
        (f"a b {'s' * 32}", "'something else in line 1'"),
    ],
)
def test_what_is_no_key(text, got):
    """A line that is something else is one sentence, without what stands in it."""
    with pytest.raises(ConfigError) as caught:
        read_keys("tokens_file", text)
    assert str(caught.value).endswith(f"got {got}")
    assert "ssss" not in str(caught.value)


def test_secrets():
    """Every secret in the file is taken, and stands for its name."""
    assert [verify(key.secret, KEYS, NOW_S) for key in KEYS] == ["site", "site", "robot"]
    for other in ("", "s" * 31, "s" * 33, "S" * 32, "é" * 32):
        with pytest.raises(Unauthorized, match="got another"):
            verify(other, KEYS, NOW_S)


def test_signed_tokens():
    """A signed token is taken while it is valid, whichever secret of its name signed it."""
    assert verify(sign(SITE, NOW_S + 300, "anna"), KEYS, NOW_S) == "site/anna"
    assert verify(sign(OLD, NOW_S + 300, "anna"), KEYS, NOW_S) == "site/anna"
    assert verify(sign(SITE, NOW_S, "anna"), KEYS, NOW_S + 4) == "site/anna"
    first, second = (verify(sign(SITE, NOW_S + seconds), KEYS, NOW_S) for seconds in (1, 2))
    assert first != second


def test_tokens_of_another_program():
    """What another program signs is taken, with and without a name."""
    payload = {"exp": NOW_S + 60.5, "nbf": NOW_S, "iat": NOW_S, "sub": "anna"}
    assert verify(jwt(HEADER, payload), KEYS, NOW_S) == "site/anna"
    assert verify(jwt({"alg": "HS256"}, payload, "r" * 32), KEYS, NOW_S) == "robot/anna"


GOOD = {"exp": NOW_S + 60}


@pytest.mark.parametrize(
    ("token", "got"),
    [
        (jwt(HEADER, {"exp": NOW_S - 6}), "one that has expired"),
        (jwt(HEADER, {}), "one without an end"),
        (jwt(HEADER, {"exp": "soon"}), "one without an end"),
        (jwt(HEADER, {"exp": True}), "one without an end"),
        (jwt(HEADER, {"exp": float("nan")}), "one without an end"),
        (jwt(HEADER, {"exp": 10**400}), "one without an end"),
        (jwt(HEADER, {"exp": -1}), "one without an end"),
        (jwt(HEADER, {"exp": NOW_S + MAX_LIFETIME_S + 60}), "one that is valid for more than 86400 s"),
        (jwt(HEADER, {**GOOD, "nbf": NOW_S + 60}), "one that is not valid yet"),
        (jwt(HEADER, {**GOOD, "sub": 7}), "one whose sub is no string of up to 128 characters"),
        (jwt(HEADER, GOOD, "x" * 32), "another"),
        (jwt({**HEADER, "alg": "none"}, GOOD), "one of another algorithm or key"),
        (jwt({**HEADER, "alg": "HS512"}, GOOD), "one of another algorithm or key"),
        (jwt({**HEADER, "kid": "robot"}, GOOD), "one of another algorithm or key"),
        (jwt([1], GOOD), "another"),
        (jwt(HEADER, GOOD)[:-1], "another"),
        (jwt(HEADER, GOOD).rpartition(".")[0] + ".", "another"),
        (jwt(HEADER, GOOD) + "\n", "another"),
    ],
)
def test_tokens_that_are_not_taken(token, got):
    """A token that is not valid now, or of nobody known, is refused with a sentence that does not tell it."""
    with pytest.raises(Unauthorized) as caught:
        verify(token, KEYS, NOW_S)
    assert str(caught.value) == f"token: expected one that the bridge knows, got {got}"


def test_only_signed_ones_where_a_secret_would_be_written_down():
    """A secret is not taken where a signed token is wanted."""
    with pytest.raises(Unauthorized, match="one that is not signed"):
        verify_signed(SITE.secret, KEYS, NOW_S)
