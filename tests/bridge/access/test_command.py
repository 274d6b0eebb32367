"""bridge/access/command.py"""

import time

import pytest

from bridge.__main__ import main
from bridge.access.tokens import Key, verify

KEYS = [Key("site", "s" * 32), Key("robot", "r" * 32)]


@pytest.fixture
def tokens_file(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("".join(f"{key.name} {key.secret}\n" for key in KEYS))
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "key", "seconds"),
    [
        ([], KEYS[0], 300),
        (["--for", "20"], KEYS[0], 20),
        (["--for", "5m", "--name", "robot"], KEYS[1], 300),
        (["--for", "24h"], KEYS[0], 86400),
    ],
)
def test_a_token(tokens_file, capsys, arguments, key, seconds):
    """A token is printed that is valid for as long as was asked for."""
    assert main(["token", "--tokens-file", tokens_file, "--subject", "anna", *arguments]) == 0
    token = capsys.readouterr().out.strip()
    now_s = time.time()
    assert verify(token, [key], now_s + seconds - 1) == f"{key.name}/anna"
    with pytest.raises(Exception, match="expired"):
        verify(token, [key], now_s + seconds + 7)


def test_what_cannot_be(tokens_file, capsys, monkeypatch):
    """A name that is not there, or no file, is one sentence."""
    monkeypatch.delenv("BRIDGE_TOKENS_FILE", raising=False)
    assert main(["token", "--tokens-file", tokens_file, "--name", "nobody"]) == 2
    assert capsys.readouterr().err == "bridge: --name: expected one of site, robot, got 'nobody'\n"
    assert main(["token"]) == 2
    with pytest.raises(SystemExit, match="2"):
        main(["token", "--tokens-file", tokens_file, "--for", "2d"])
    assert "expected 1 s to 24 h, such as 300s, 5m or 1h, got '2d'" in capsys.readouterr().err
