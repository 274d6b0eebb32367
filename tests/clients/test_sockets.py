"""Connections with a deadline."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from lipsync_client.sockets import Deadline, DeadlineSocket, dial


def resolve_to(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Give every host an address for each port of 127.0.0.1."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)


def test_the_first_address_that_takes_the_connection(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """An address that refuses is passed over."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        resolve_to(monkeypatch, free_port, server.getsockname()[1])
        with dial("host", 1, Deadline(5.0)) as connection:
            assert connection.getpeername() == server.getsockname()


def test_an_address_that_is_silent_has_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that never answers leaves time for the next one."""

    def connect(self: DeadlineSocket, address: Any) -> None:
        shares.append(self.deadline.limit_s)
        if address[1] == 1:
            raise TimeoutError
        socket.socket.connect(self, address)

    shares: list[float] = []
    monkeypatch.setattr(DeadlineSocket, "connect", connect)
    with socket.create_server(("127.0.0.1", 0)) as server:
        resolve_to(monkeypatch, 1, server.getsockname()[1])
        dial("host", 1, Deadline(8.0)).close()
    assert shares == pytest.approx([4.0, 8.0], abs=1.0)


def test_no_address_takes_the_connection(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """What the last address said is raised."""
    resolve_to(monkeypatch, free_port)
    with pytest.raises(ConnectionRefusedError):
        dial("host", 1, Deadline(5.0))


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "..", "host.invalid"])
def test_names_that_are_none(host: str) -> None:
    """A name that cannot be, or is unknown, is an OSError."""
    with pytest.raises(socket.gaierror):
        dial(host, 1, Deadline(20.0))


def test_a_deadline_that_is_over() -> None:
    """No time left is a TimeoutError that says how much there was, and no socket is asked."""
    with pytest.raises(TimeoutError, match=r"^not done within 0 s$"):
        Deadline(0.0).left_s()
    near, far = socket.socketpair()
    with near, far, DeadlineSocket(fileno=near.detach()) as connection:
        connection.deadline = Deadline(0.0)
        for operation in (lambda: connection.sendall(b"x"), lambda: connection.recv_into(bytearray(1))):
            with pytest.raises(TimeoutError, match="not done within 0 s"):
                operation()
