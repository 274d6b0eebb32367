"""bridge/access/origin.py"""

import socket

import pytest
from websockets.datastructures import Headers

from bridge.access.errors import ForeignOrigin, WrongHost
from bridge.access.origin import OriginRules

RULES = OriginRules(["lip.example.org", "*.pages.example"], ["https://app.example", "http://[::1]:3000"])


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "127.0.0.1:8086",
            "192.168.1.7:80",
            "[::1]:8086",
            "[fe80::1]",
            "localhost",
            "LocalHost:1",
        ),
        *("localhost.", "a.localhost:8086", socket.gethostname(), "lip.example.org", "LIP.example.org.:443"),
        *("a.pages.example", "a.b.pages.example:8086", ""),
    ],
)
def test_hosts(host):
    """An address, localhost, the machine's name and what is listed are the bridge's names; so is none at all."""
    RULES.check(Headers(Host=host) if host else Headers())


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:8086",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "pages.example",
        ),
        *(
            "xlip.example.org",
            "lip.example.org.evil.example",
            "a b",
            "@localhost",
            "localhost:123456",
            "[::1",
        ),
        *("1.2.3.4.5", "user@127.0.0.1", "127.0.0.1/evil"),
    ],
)
def test_names_that_are_not_the_bridges(host):
    """Any other name may be a foreign site's that leads here."""
    with pytest.raises(WrongHost):
        RULES.check(Headers(Host=host))


def test_several_hosts():
    """Of two fields nobody knows which counts."""
    headers = Headers([("Host", "localhost"), ("Host", "127.0.0.1")])
    with pytest.raises(WrongHost):
        RULES.check(headers)


def test_any_host():
    """``*`` lets every name pass."""
    OriginRules(["*"], []).check(Headers(Host="anything.example"))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8086", "localhost:8086"),
        ("http://localhost", "localhost"),
        ("http://localhost", "localhost:80"),
        ("https://lip.example.org", "lip.example.org"),
        ("https://lip.example.org", "lip.example.org:443"),
        ("http://[::1]:8086", "[::1]:8086"),
        ("HTTP://LOCALHOST:8086", "localhost:8086"),
        ("https://app.example", "localhost:8086"),
        ("http://[::1]:3000", "localhost:8086"),
    ],
)
def test_origins(origin, host):
    """A page of the bridge, or of a listed site, may ask."""
    RULES.check(Headers(Host=host, Origin=origin))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "localhost:8086"),
        ("http://localhost:3000", "localhost:8086"),
        ("http://localhost", "localhost:8086"),
        ("http://127.0.0.1:8086", "localhost:8086"),
        ("https://app.example.evil.example", "localhost:8086"),
        ("https://app.example:444", "localhost:8086"),
        ("null", "localhost:8086"),
        ("file://", "localhost:8086"),
        ("http://[", "localhost:8086"),
        ("http://localhost:x", "localhost:8086"),
        ("http://localhost:8086", ""),
    ],
)
def test_foreign_origins(origin, host):
    """A page of any other site may not, nor one that has no site."""
    with pytest.raises(ForeignOrigin) as caught:
        RULES.check(Headers(Host=host, Origin=origin) if host else Headers(Origin=origin))
    assert caught.value.origin == origin


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_foreign_pages_embed(site):
    """A foreign page cannot have a frame fetched as its image; a link may lead here."""
    with pytest.raises(ForeignOrigin):
        RULES.check(Headers({"Host": "localhost", "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}))
    RULES.check(Headers({"Host": "localhost", "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}))
    RULES.check(Headers({"Host": "localhost", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"}))
