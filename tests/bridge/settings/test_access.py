"""bridge/settings/access.py"""

import pytest

from bridge.config import load_config
from bridge.errors import ConfigError


def test_names_and_origins():
    """Names and origins are lists."""
    config = load_config(
        [
            "--allowed-hosts",
            "a.example, *.b.example,*",
            "--allowed-origins",
            "https://a.example:1,http://[::1]",
        ],
        {},
    )
    assert config.allowed_hosts == ("a.example", "*.b.example", "*")
    assert config.allowed_origins == ("https://a.example:1", "http://[::1]")


@pytest.mark.parametrize("name", ["a:8086", "http://a", "a.*", "*a", "a b"])
def test_what_is_no_name(name):
    """A name has no port and no scheme."""
    with pytest.raises(ConfigError) as caught:
        load_config(["--allowed-hosts", f"b,{name}"], {})
    assert str(caught.value) == (
        f"--allowed-hosts: expected host names without port, separated by commas, got '{name}'"
    )


@pytest.mark.parametrize(
    "origin", ["a.example", "https://a.example/", "https://*.example", "null", "https://"]
)
def test_what_is_no_origin(origin):
    """An origin has a scheme, and no path."""
    with pytest.raises(ConfigError) as caught:
        load_config(["--allowed-origins", origin], {})
    assert str(caught.value) == (
        f"--allowed-origins: expected origins such as https://example.org, separated by commas, got '{origin}'"
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["--tls-cert-file", "a"], "tls_key_file: expected a PEM file beside tls_cert_file, got ''"),
        (["--tls-key-file", "a"], "tls_cert_file: expected a PEM file beside tls_key_file, got ''"),
        (["--triton-cert-file", "a"], "triton_key_file: expected a PEM file beside triton_cert_file, got ''"),
        (["--triton-tls-name", "a"], "triton_ca_file: expected a PEM file beside triton_tls_name, got ''"),
        (
            ["--trusted-proxies", "10.0.0.0/8,proxy"],
            "--trusted-proxies: expected addresses or networks such as 10.0.0.0/8, separated by commas, got 'proxy'",
        ),
    ],
)
def test_settings_that_need_each_other(settings, sentence):
    """A certificate needs its key, and what is shown to Triton an authority that knows it."""
    with pytest.raises(ConfigError) as caught:
        load_config(settings, {})
    assert str(caught.value) == sentence
