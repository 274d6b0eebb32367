"""``python health.py``: whether a Triton answers, asked for pictures and not only whether it is ready.

Triton calls itself and its models ready also when the processes that run them are dead. So this has each of our small
models, ``*_frames`` and the JPEG encoders, make something; the networks, which are dear, are watched by ``embedded``.
It runs in a container, every few seconds: from the file, with nothing but the standard library.
"""

from __future__ import annotations

import http.client
import json
import math
import sys
from typing import Any

__all__ = ["Unhealthy", "check", "main"]

HTTP_PORT = 8000
TIMEOUT_S = 4.0
ASKED_FOR = {"frame_lookup": "bounds", "jpeg_encode": "jpeg"}
"""Backends that answer in a moment, and which of their outputs to have."""
FREE_SIDE = 32
BYTES = {"TYPE_INT32": 4, "TYPE_UINT8": 1}


class Unhealthy(Exception):
    """Raised when a Triton does not answer as it should."""


def main() -> int:
    """Check the Triton of this machine; return 0, or 1 after one sentence."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else HTTP_PORT
    try:
        check(port)
    except Unhealthy as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def check(port: int) -> None:
    """Return if a Triton is ready and all small models that it has loaded answer.

    Raises:
        Unhealthy: If not, or not within seconds.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        _ask(connection, "GET", "health/ready")
        statistics = json.loads(_ask(connection, "GET", "models/stats"))
        for name in {model["name"] for model in statistics["model_stats"]}:
            config = json.loads(_ask(connection, "GET", f"models/{name}/config"))
            if config["backend"] in ASKED_FOR:
                _infer(connection, name, config)
    except OSError as exc:
        raise Unhealthy(f"expected an answer of Triton on port {port}, got: {exc or 'none in time'}") from exc
    finally:
        connection.close()


def _infer(connection: http.client.HTTPConnection, name: str, config: dict[str, Any]) -> None:
    """Have a model answer zeros: the first frame, or a black picture, small where any size will do."""
    (tensor,) = config["input"]
    shape = [1, *(int(side) if int(side) > 0 else FREE_SIDE for side in tensor["dims"])]
    zeros = bytes(math.prod(shape) * BYTES[tensor["data_type"]])
    description = {
        "name": tensor["name"],
        "datatype": tensor["data_type"].removeprefix("TYPE_"),
        "shape": shape,
        "parameters": {"binary_data_size": len(zeros)},
    }
    header = json.dumps({"inputs": [description], "outputs": [{"name": ASKED_FOR[config["backend"]]}]})
    sizes = {"Inference-Header-Content-Length": str(len(header))}
    _ask(connection, "POST", f"models/{name}/infer", header.encode() + zeros, sizes)


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    connection.request(method, f"/v2/{path}", body, headers or {})
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.client.OK:
        raise Unhealthy(
            f"{path}: expected status 200, got {response.status} {answer.decode(errors='replace')}"
        )
    return answer


if __name__ == "__main__":
    sys.exit(main())
