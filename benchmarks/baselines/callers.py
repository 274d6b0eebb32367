"""One caller each for the servers that are compared: the frame ids in turn, a frame at a time."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc

from benchmarks.baselines.eager_server import METHOD
from benchmarks.baselines.process import OTHER_SERVERS_PYTHON, running
from benchmarks.errors import LoadFailed, NotAvailable

__all__ = ["Call", "eager", "other_server"]

Call = Callable[[], object]
JPEG_START = b"\xff\xd8"
DEADLINE_S = 60.0
START_LIMIT_S = 120.0
POLL_S = 0.2


@contextlib.contextmanager
def eager(avatar_folder: Path, width: float) -> Iterator[Call]:
    """Run the predecessor's server, and yield a function that fetches its next frame.

    Raises:
        NotAvailable: If it does not start.
    """
    arguments = ["-m", "benchmarks.baselines.eager_server", str(avatar_folder), str(width)]
    with running("PyTorch eager", arguments) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        fetch = channel.unary_unary(METHOD)
        frame_ids = itertools.count()
        yield lambda: _check(
            "PyTorch eager", fetch(next(frame_ids).to_bytes(4, "little"), timeout=DEADLINE_S)
        )


@contextlib.contextmanager
def other_server(module: str, avatar_folder: Path, network: Path) -> Iterator[Call]:
    """Run ``litserve_server`` or ``ray_server``, and yield a function that fetches its next frame.

    Raises:
        NotAvailable: If its packages are not installed, or it does not start.
    """
    if not OTHER_SERVERS_PYTHON.is_file():
        raise NotAvailable(
            module, f"expected {OTHER_SERVERS_PYTHON}, got no such file: make {OTHER_SERVERS_PYTHON}"
        )
    port = _free_port()
    arguments = ["-m", f"benchmarks.baselines.{module}", str(avatar_folder), str(network), str(port)]
    with running(module, arguments, OTHER_SERVERS_PYTHON):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        frame_ids = itertools.count()
        _wait_until_it_answers(module, connection)
        yield lambda: _check(module, _post(connection, next(frame_ids)))
        connection.close()


def _post(connection: http.client.HTTPConnection, frame_id: int) -> bytes:
    request = ("POST", "/predict", json.dumps({"frame_id": frame_id}), {"Content-Type": "application/json"})
    try:
        connection.request(*request)
    except ConnectionError:  # a server may close what idled while another was started
        connection.close()
        connection.request(*request)
    return connection.getresponse().read()


def _wait_until_it_answers(module: str, connection: http.client.HTTPConnection) -> None:
    """Ask again until a frame comes: these servers open their port before their workers are ready."""
    end_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end_s:
        try:
            _check(module, _post(connection, 0))
            return
        except (OSError, http.client.HTTPException, LoadFailed):
            connection.close()
            time.sleep(POLL_S)
    raise NotAvailable(module, f"no frame within {START_LIMIT_S:g} s")


def _check(name: str, answer: bytes) -> None:
    if answer[:2] != JPEG_START:
        raise LoadFailed(name, repr(answer[:60]))


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
