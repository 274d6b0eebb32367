"""bridge/settings/upstream.py"""

import pytest

from bridge.config import load_config
from bridge.errors import ConfigError


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
