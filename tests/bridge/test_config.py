"""bridge/config.py"""

import dataclasses

import pytest

from bridge.config import BridgeConfig, env_name, flag_name, load_config
from bridge.errors import ConfigError


def test_defaults():
    """Without arguments and environment the defaults of BridgeConfig hold."""
    config = load_config([], {})
    assert config == BridgeConfig()
    assert (config.upstreams, config.port, config.policy) == (("localhost:8001",), 8086, "least_inflight")


def test_environment():
    """Each setting is read from its variable."""
    config = load_config(
        [],
        {
            "BRIDGE_UPSTREAMS": "a:1, b:2,[::1]:3",
            "BRIDGE_PORT": "0",
            "BRIDGE_POLICY": "round_robin",
            "BRIDGE_INFER_TIMEOUT_S": "0.25",
        },
    )
    assert config.upstreams == ("a:1", "b:2", "[::1]:3")
    assert (config.port, config.policy, config.infer_timeout_s) == (0, "round_robin", 0.25)


def test_flags_win_over_the_environment():
    """An argument wins over the variable of the same setting, and an empty variable counts as absent."""
    config = load_config(["--port", "1234"], {"BRIDGE_PORT": "99", "BRIDGE_HOST": ""})
    assert (config.port, config.host) == (1234, "127.0.0.1")


def test_names_follow_from_the_field():
    """Variable and flag are spelled from the field's name."""
    assert env_name("infer_timeout_s") == "BRIDGE_INFER_TIMEOUT_S"
    assert flag_name("infer_timeout_s") == "--infer-timeout-s"


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("BRIDGE_UPSTREAMS", " , ", "1 to 20 addresses host:port, separated by commas, got ' , '"),
        ("BRIDGE_UPSTREAMS", "a", "addresses host:port or dns:///host:port, got 'a'"),
        ("BRIDGE_UPSTREAMS", "a:0", "addresses host:port or dns:///host:port, got 'a:0'"),
        ("BRIDGE_UPSTREAMS", "a:65536", "addresses host:port or dns:///host:port, got 'a:65536'"),
        ("BRIDGE_UPSTREAMS", "http://a:1", "addresses host:port or dns:///host:port, got 'http://a:1'"),
        ("BRIDGE_UPSTREAMS", "dns:///a", "addresses host:port or dns:///host:port, got 'dns:///a'"),
        ("BRIDGE_UPSTREAMS", "dns://a:1", "addresses host:port or dns:///host:port, got 'dns://a:1'"),
        ("BRIDGE_UPSTREAMS", "a:1,b:1,a:1", "every address once, got 'a:1 2 times'"),
        ("BRIDGE_PORT", "x", "an integer from 0 to 65535, got 'x'"),
        ("BRIDGE_PORT", "-1", "an integer from 0 to 65535, got '-1'"),
        ("BRIDGE_PORT", "65536", "an integer from 0 to 65535, got '65536'"),
        ("BRIDGE_HOST", " ", "a name or an address, got ' '"),
        ("BRIDGE_POLICY", "random", "one of least_inflight, round_robin, got 'random'"),
        ("BRIDGE_INFER_TIMEOUT_S", "0", "seconds from 0.001 to 600, got '0'"),
        ("BRIDGE_INFER_TIMEOUT_S", "nan", "seconds from 0.001 to 600, got 'nan'"),
        ("BRIDGE_INFER_TIMEOUT_S", "soon", "seconds from 0.001 to 600, got 'soon'"),
        ("BRIDGE_MAX_INFLIGHT", "0", "an integer from 1 to 4096, got '0'"),
    ],
)
def test_bad_values(key, text, sentence):
    """A bad value is one sentence with key, expected and got."""
    with pytest.raises(ConfigError) as caught:
        load_config([], {key: text})
    assert str(caught.value) == f"{key}: expected {sentence}"


def test_former_names():
    """The upstreams' former variable and flag go on working; the variable of today wins."""
    assert load_config(["--backends", "a:1"], {}).upstreams == ("a:1",)
    assert load_config([], {"BRIDGE_BACKENDS": "a:1"}).upstreams == ("a:1",)
    assert load_config([], {"BRIDGE_BACKENDS": "a:1", "BRIDGE_UPSTREAMS": "b:1"}).upstreams == ("b:1",)
    with pytest.raises(ConfigError, match=r"^BRIDGE_BACKENDS: expected addresses"):
        load_config([], {"BRIDGE_BACKENDS": "a"})


def test_unknown_flag(capsys):
    """An argument that does not exist ends the process with 2."""
    with pytest.raises(SystemExit, match="2"):
        load_config(["--prot", "1"], {})
    assert "--prot" in capsys.readouterr().err


def test_help_names_every_setting(capsys):
    """``--help`` names flag and variable of every setting."""
    with pytest.raises(SystemExit, match="0"):
        load_config(["--help"], {})
    text = " ".join(capsys.readouterr().out.split())
    for field in dataclasses.fields(BridgeConfig):
        assert flag_name(field.name) in text
        assert env_name(field.name) in text


def test_a_value_given_in_code_is_checked_like_text():
    """A port that cannot be is refused at once, not taken for another."""
    with pytest.raises(ConfigError, match="port: expected an integer from 0 to 65535, got '99999'"):
        BridgeConfig(port=99999)
