"""bridge/access/door.py"""

import time

import pytest

from bridge.access.client import Client
from bridge.access.door import Door, load_keys
from bridge.access.errors import ForeignOrigin, Unauthorized, WrongHost
from bridge.access.tokens import Key, sign
from bridge.config import BridgeConfig
from bridge.errors import ConfigError
from bridge.front.head import read_head

SECRET = "s" * 32
KEY = Key("site", SECRET)
PEER = Client("9.9.9.9")


def head_of(target="/models", **fields):
    lines = [
        f"GET {target} HTTP/1.1",
        *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items()),
    ]
    return read_head("\r\n".join([*lines, "", ""]).encode())


@pytest.fixture
def door(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"site {SECRET}\n")
    return Door(BridgeConfig(tokens_file=str(path), trusted_proxies=("10.0.0.0/8", "::1")))


def test_without_tokens():
    """Without a file of tokens everybody is let in whose page and name are right."""
    door = Door(BridgeConfig())
    assert not door.asks_for_tokens
    assert door.check(head_of(), PEER, False) == PEER
    with pytest.raises(WrongHost):
        door.check(head_of(host="evil.example"), PEER, False)
    with pytest.raises(ForeignOrigin):
        door.check(head_of(origin="https://evil.example"), PEER, True)


def test_where_a_token_is_looked_for(door):
    """A secret is taken in the header and as a subprotocol, a signed token also in the address."""
    signed = sign(KEY, time.time() + 60, "anna")
    assert door.check(head_of(authorization=f"Bearer {SECRET}"), PEER, False) == Client("9.9.9.9", "site")
    assert door.check(head_of(authorization=f"bearer  {signed}"), PEER, False).token == "site/anna"
    offered = f"lipsync.frames.v1, lipsync.token.{signed}"
    assert door.check(head_of(sec_websocket_protocol=offered), PEER, False).token == "site/anna"
    assert door.check(head_of(f"/models?a=b&token={signed}"), PEER, False).token == "site/anna"


@pytest.mark.parametrize(
    ("target", "fields", "got"),
    [
        ("/models", {}, "none"),
        ("/models", {"authorization": "Basic abc"}, "none that begins with Bearer"),
        ("/models", {"authorization": "Bearer "}, "none that begins with Bearer"),
        ("/models", {"authorization": f"Bearer {SECRET}x"}, "another"),
        (f"/models?token={SECRET}", {}, "one that is not signed"),
        (f"/models?token={SECRET}", {"authorization": "Bearer x"}, "another"),
        ("/models", {"sec_websocket_protocol": "lipsync.token."}, "another"),
    ],
)
def test_who_is_not_let_in(door, target, fields, got):
    """Without a token that is valid nobody is let in, but to what is open."""
    with pytest.raises(Unauthorized) as caught:
        door.check(head_of(target, **fields), PEER, False)
    assert caught.value.got == got
    assert door.check(head_of(target, **fields), PEER, True) == PEER


def test_calls(door):
    """A call shows its token in the metadata."""
    assert door.check_bearer([f"Bearer {SECRET}"], "1.1.1.1", False) == Client("1.1.1.1", "site")
    assert door.check_bearer([], "1.1.1.1", True) == Client("1.1.1.1")
    for shown in ([], ["x"], [f"Bearer {SECRET}", "Bearer x"]):
        with pytest.raises(Unauthorized):
            door.check_bearer(shown, "1.1.1.1", False)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("9.9.9.9", "1.1.1.1", "9.9.9.9"),
        ("10.1.1.1", "1.1.1.1", "1.1.1.1"),
        ("10.1.1.1", "2.2.2.2, 1.1.1.1", "1.1.1.1"),
        ("10.1.1.1", "2.2.2.2, 1.1.1.1, 10.2.2.2", "1.1.1.1"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("::1", "2001:db8::1", "2001:db8::/64"),
        ("", "1.1.1.1", ""),
    ],
)
def test_whose_request_a_proxy_passes_on(door, peer, forwarded, address):
    """Only a trusted proxy may say whose request it is, and what it did not write itself counts for nothing."""
    assert door.address_of(peer, forwarded) == address


def test_tokens_change_while_the_bridge_runs(tmp_path):
    """A secret that is added is taken at once, and one that is removed no longer."""
    path = tmp_path / "tokens"
    path.write_text(f"site {SECRET}\n")
    door = Door(BridgeConfig(tokens_file=str(path)))
    path.write_text(f"site {'n' * 33}\n")
    with pytest.raises(Unauthorized):
        door.check(head_of(authorization=f"Bearer {SECRET}"), PEER, False)
    assert door.check(head_of(authorization=f"Bearer {'n' * 33}"), PEER, False).token == "site"


def test_a_file_that_is_not_there():
    """A file that cannot be read is one sentence."""
    with pytest.raises(ConfigError, match=r"got 'nowhere \(No such file or directory\)'$"):
        load_keys("nowhere")
