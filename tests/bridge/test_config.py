"""bridge/config.py"""

import dataclasses

import pytest

from bridge.config import GRPC_OFF, BridgeConfig, env_name, flag_name, load_config
from bridge.errors import ConfigError


def test_defaults():
    """Without arguments and environment the defaults of BridgeConfig hold."""
    config = load_config([], {})
    assert config == BridgeConfig()
    assert (config.upstreams, config.port, config.policy) == (("localhost:8001",), 8086, "round_robin")


def test_environment():
    """Each setting is read from its variable."""
    config = load_config(
        [],
        {
            "BRIDGE_UPSTREAMS": "a:1, b:2,[::1]:3",
            "BRIDGE_PORT": "0",
            "BRIDGE_POLICY": "least_inflight",
            "BRIDGE_INFER_TIMEOUT_S": "0.25",
        },
    )
    assert config.upstreams == ("a:1", "b:2", "[::1]:3")
    assert (config.port, config.policy, config.infer_timeout_s) == (0, "least_inflight", 0.25)


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
        ("BRIDGE_POLICY", "random", "one of round_robin, least_inflight, got 'random'"),
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


def test_twenty_upstreams_and_no_more():
    """Twenty upstreams are taken, twenty-one refused."""
    addresses = [f"host:{port}" for port in range(1, 22)]
    assert load_config(["--upstreams", ",".join(addresses[:20])], {}).upstreams == tuple(addresses[:20])
    with pytest.raises(
        ConfigError, match=r"^--upstreams: expected 1 to 20 addresses host:port, separated by commas, got 21$"
    ):
        load_config(["--upstreams", ",".join(addresses)], {})


@pytest.mark.parametrize(
    ("arguments", "ports"),
    [
        (["--num-servers", "4"], [8001, 8011, 8021, 8031]),
        (["--num-servers", "2", "--start-port", "50051", "--port-step", "1"], [50051, 50052]),
    ],
)
def test_servers_of_this_machine(arguments, ports):
    """A number of servers stands for their addresses, 10 ports apart unless said otherwise."""
    assert load_config(arguments, {}).addresses == tuple(f"localhost:{port}" for port in ports)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--num-servers", "21"], "--num-servers: expected an integer from 0 to 20, got '21'"),
        (["--num-servers", "2", "--upstreams", "a:1"], "num_servers: expected either it or upstreams, got 2"),
        (["--start-port", "9001"], "num_servers: expected 1 to 20 beside start_port or port_step, got 0"),
        (
            ["--num-servers", "2", "--start-port", "65530"],
            "start_port: expected ports up to 65535 for 2 servers, got 65540",
        ),
    ],
)
def test_servers_that_cannot_be(arguments, sentence):
    """Settings of the servers that contradict each other are one sentence."""
    with pytest.raises(ConfigError) as caught:
        load_config(arguments, {})
    assert str(caught.value) == sentence


def test_a_name_that_stands_for_all_its_addresses():
    """A dns:/// name is taken among the upstreams."""
    assert load_config(["--upstreams", "dns:///triton:8001,a:1"], {}).addresses == (
        "dns:///triton:8001",
        "a:1",
    )


def test_former_names():
    """The upstreams' former variable and flag go on working; the variable of today wins."""
    assert load_config(["--backends", "a:1"], {}).upstreams == ("a:1",)
    assert load_config([], {"BRIDGE_BACKENDS": "a:1"}).upstreams == ("a:1",)
    assert load_config([], {"BRIDGE_BACKENDS": "a:1", "BRIDGE_UPSTREAMS": "b:1"}).upstreams == ("b:1",)
    with pytest.raises(ConfigError, match=r"^BRIDGE_BACKENDS: expected addresses"):
        load_config([], {"BRIDGE_BACKENDS": "a"})


def test_secret(tmp_path):
    """Triton's secret is the first line of its file; the settings know the file alone."""
    path = tmp_path / "secret"
    path.write_text("letmein\n\n")
    config = load_config([], {"BRIDGE_TRITON_SECRET_FILE": str(path)})
    assert config.read_triton_secret() == "letmein"
    assert "letmein" not in repr(config)
    assert load_config([], {}).read_triton_secret() == ""


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "a file with the secret in it, got '{} (No such file or directory)'"),
        ("geheim: ä".encode("latin-1"), "a file with the secret in it, got '{} (not text)'"),
        (b"", "printable characters in the first line, got 'others in {}'"),
        (b"let me in", "printable characters in the first line, got 'others in {}'"),
    ],
)
def test_secrets_that_cannot_be(tmp_path, monkeypatch, content, sentence):
    """A secret that cannot be read or sent is one sentence, without the secret."""
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(["--triton-secret-file", "key"], {})
    assert str(caught.value) == f"triton_secret_file: expected {sentence.format('key')}"


def test_import_folders(tmp_path):
    """A folder to import from has to be there, and the model repository has to be writable."""
    with pytest.raises(ConfigError, match="packages_dir: expected a folder, or off, got 'nowhere'"):
        load_config(["--packages-dir", "nowhere"], {})
    with pytest.raises(
        ConfigError, match="model_repository: expected a folder that can be written, got 'none'"
    ):
        load_config(["--packages-dir", str(tmp_path), "--model-repository", "none"], {})
    assert load_config(["--packages-dir", str(tmp_path), "--model-repository", str(tmp_path)], {})


def test_grpc_can_be_switched_off():
    """-1 switches the gRPC service off."""
    assert load_config(["--grpc-port", "-1"], {}).grpc_port == GRPC_OFF


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
