"""bridge/discovery.py"""

import socket

import pytest

from bridge.discovery import Discovery, lookup
from bridge.errors import UnresolvableUpstream


class Names:
    """A DNS whose answers a test changes: addresses by ``host:port``, an absent one is unknown."""

    def __init__(self, **answers):
        self.answers = {key.replace("_", ":"): value for key, value in answers.items()}
        self.asked = 0

    async def resolve(self, host, port):
        self.asked += 1
        try:
            return self.answers[f"{host}:{port}"]
        except KeyError:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None


async def test_lookup_of_this_machine():
    """The system's resolver gives localhost's IPv4 address alone, though it may have an IPv6 one, too."""
    assert await lookup("localhost", 8001) == ["127.0.0.1:8001"]


async def test_lookup_of_addresses():
    """An address resolves to itself; an IPv6 one is written as gRPC wants it."""
    assert await lookup("10.1.2.3", 1) == ["10.1.2.3:1"]
    assert await lookup("::1", 1) == ["[::1]:1"]


async def test_a_host_with_both_kinds_of_addresses_counts_once(monkeypatch):
    """A host with IPv4 and IPv6 addresses counts by its IPv4 ones; one with IPv6 ones alone by those."""
    both = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 1, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.2", 1)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 1)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    assert await lookup("triton", 1) == ["10.0.0.1:1", "10.0.0.2:1"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both[:1])
    assert await lookup("triton", 1) == ["[2001:db8::1]:1"]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64])
async def test_lookup_of_nobody(host):
    """A name that DNS does not know, or cannot carry, is an OSError."""
    with pytest.raises(OSError, match=r".+"):
        await lookup(host, 1)


async def test_listed_upstreams_stay_names():
    """A listed host keeps its name, which gRPC resolves again on each connection; it never changes."""
    names = Names(a_1=["10.0.0.1:1"], b_2=["10.0.0.2:2"])
    discovery = Discovery(["a:1", "b:2"], names.resolve)
    assert await discovery.start(0) == ["a:1", "b:2"]
    assert not discovery.dynamic


async def test_a_name_stands_for_its_addresses():
    """A dns:/// name gives all its addresses, and those it has at the next lookup; none counts twice."""
    names = Names(triton_8001=["10.0.0.1:8001", "10.0.0.2:8001"])
    names.answers["10.0.0.1:8001"] = ["10.0.0.1:8001"]
    discovery = Discovery(["dns:///triton:8001", "10.0.0.1:8001"], names.resolve)
    assert discovery.dynamic
    assert await discovery.start(0) == ["10.0.0.1:8001", "10.0.0.2:8001"]
    names.answers["triton:8001"] = ["10.0.0.2:8001", "10.0.0.3:8001"]
    assert await discovery.refresh() == ["10.0.0.2:8001", "10.0.0.3:8001", "10.0.0.1:8001"]


async def test_a_failed_lookup_keeps_the_known_addresses(caplog):
    """While DNS fails the known addresses stay, and the log says so once."""
    names = Names(triton_8001=["10.0.0.1:8001"])
    discovery = Discovery(["dns:///triton:8001"], names.resolve)
    await discovery.start(0)
    answers, names.answers = names.answers, {}
    for _ in range(3):
        assert await discovery.refresh() == ["10.0.0.1:8001"]
    assert discovery.failing == {"dns:///triton:8001"}
    assert [record.message for record in caplog.records] == [
        "expected to resolve the host of Triton at dns:///triton:8001, got: name or service not known; "
        "its known addresses stay"
    ]
    names.answers = answers
    await discovery.refresh()
    assert not discovery.failing


@pytest.mark.parametrize("upstream", ["nobody:1", "dns:///nobody:1"])
async def test_an_unknown_name_at_the_start(upstream):
    """A name that stays unknown at the start is one sentence."""
    with pytest.raises(UnresolvableUpstream) as caught:
        await Discovery([upstream], Names().resolve).start(0)
    assert str(caught.value) == (
        f"expected to resolve the host of Triton at {upstream}, got: name or service not known"
    )


async def test_a_name_that_appears_in_time(monkeypatch):
    """A name that DNS learns within the time is waited for: its container may start later."""
    monkeypatch.setattr("bridge.discovery.RETRY_PAUSE_S", 0.001)
    names = Names()

    async def resolve(host, port):
        if names.asked == 3:
            names.answers["triton:1"] = ["10.0.0.1:1"]
        return await names.resolve(host, port)

    discovery = Discovery(["dns:///triton:1"], resolve)
    assert await discovery.start(10) == ["10.0.0.1:1"]
    assert not discovery.failing
