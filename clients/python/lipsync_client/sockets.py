"""Connections for threads, each with one deadline for all it does: whatever trickles in, the end comes on time.

The standard library's timeouts begin anew with every byte that arrives, with every address of a host, and not at all
while a name is looked up.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from typing import Any

__all__ = ["Deadline", "DeadlineSocket", "dial"]

AddressInfo = tuple[Any, Any, int, str, Any]


class Deadline:
    """A point in time, ``limit_s`` seconds after it was made."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._end_s = time.monotonic() + limit_s

    def left_s(self) -> float:
        """Return how many seconds are left, above zero.

        Raises:
            TimeoutError: If none are.
        """
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"not done within {self.limit_s:g} s")
        return left_s


class DeadlineSocket(socket.socket):
    """A socket whose operations all end by ``deadline``, which may be set anew for each exchange."""

    deadline: Deadline

    def connect(self, address: Any) -> None:
        """Connect.

        Raises:
            TimeoutError: If the deadline comes before.
        """
        self.settimeout(self.deadline.left_s())
        super().connect(address)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send.

        Raises:
            TimeoutError: If the deadline comes before.
        """
        self.settimeout(self.deadline.left_s())
        super().sendall(data, flags)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive what is there.

        Raises:
            TimeoutError: If the deadline comes before anything does.
        """
        self.settimeout(self.deadline.left_s())
        return super().recv_into(buffer, nbytes or 0, flags)


class _TlsSocket(DeadlineSocket, ssl.SSLSocket):
    """The same, encrypted."""


def dial(host: str, port: int, deadline: Deadline, tls: ssl.SSLContext | None = None) -> DeadlineSocket:
    """Open a connection, encrypted if ``tls`` is given, to the first of the host's addresses that takes one.

    Each address has an equal share of the time that is left.

    Raises:
        TimeoutError: If the deadline comes before.
        OSError: If the host is unknown, or no address takes the connection.
    """
    addresses = _resolve(host, port, deadline)
    failure: OSError = ConnectionError(f"no address of {host}")
    for place, address in enumerate(addresses):
        share = Deadline(deadline.left_s() / (len(addresses) - place))
        try:
            return _connect(address, host, share, tls)
        except OSError as exc:
            failure = exc
    raise failure


def _resolve(host: str, port: int, deadline: Deadline) -> list[AddressInfo]:
    """Look a host up, in a thread: nothing else can leave a look-up that hangs."""
    answers: queue.SimpleQueue[list[AddressInfo] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as exc:
            answers.put(exc)
        except UnicodeError as exc:  # a label of more than 63 characters, or of none
            answers.put(socket.gaierror(socket.EAI_NONAME, str(exc)))

    threading.Thread(target=look_up, name="lipsync-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left_s())
    except queue.Empty as exc:
        raise TimeoutError(f"{host} was not looked up within {deadline.limit_s:g} s") from exc
    if isinstance(answer, OSError):
        raise answer
    return answer


def _connect(
    address: AddressInfo, host: str, deadline: Deadline, tls: ssl.SSLContext | None
) -> DeadlineSocket:
    family, kind, protocol, _, place = address
    connection = DeadlineSocket(family, kind, protocol)
    try:
        connection.deadline = deadline
        connection.connect(place)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection if tls is None else _encrypt(connection, host, tls)
    except BaseException:
        connection.close()
        raise


def _encrypt(connection: DeadlineSocket, host: str, tls: ssl.SSLContext) -> DeadlineSocket:
    tls.sslsocket_class = _TlsSocket
    connection.settimeout(connection.deadline.left_s())  # of the handshake as a whole
    encrypted = tls.wrap_socket(connection, server_hostname=host)
    assert isinstance(encrypted, _TlsSocket)
    encrypted.deadline = connection.deadline
    return encrypted
