"""``python -m embedded``: Triton Inference Server on this machine, without a container."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from embedded.config import EmbeddedConfig
from embedded.control import VARIABLE
from embedded.errors import BadSetting, EmbeddedError
from embedded.secret_file import keep_secret_file
from embedded.server import Server, serve


def main(argv: Sequence[str] | None = None, prog: str = "python -m embedded") -> int:
    """Serve until Ctrl-C or SIGTERM; return 0, or 1 after one sentence of error, or 2 for a bad setting."""
    args = _parser(prog).parse_args(argv)
    logging.basicConfig(
        level=logging.ERROR if args.quiet else logging.INFO, format="%(message)s", stream=sys.stderr
    )
    try:
        asyncio.run(_serve(_config(args)))
    except EmbeddedError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2 if isinstance(exc, BadSetting) else 1
    return 0


def _parser(prog: str) -> argparse.ArgumentParser:
    defaults = {name: field.default for name, field in EmbeddedConfig.__dataclass_fields__.items()}
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--model-repository", type=Path, default=Path("model_repository"), metavar="DIR")
    parser.add_argument(
        "--strategy", metavar="NAME", help="config variant: latency, batching, multi_instance, hybrid, replay"
    )
    parser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="Triton processes, each 10 ports above the last (default: 1)",
    )
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--http-port", type=int, metavar="PORT", help="first HTTP port (default: 8000; 0: all free ones)"
    )
    parser.add_argument("--grpc-port", type=int, metavar="PORT", help="first gRPC port (default: 8001)")
    parser.add_argument("--metrics-port", type=int, metavar="PORT", help="first metrics port (default: 8002)")
    parser.add_argument(
        "--response-cache-bytes", type=int, metavar="N", help="for models that use it; 0 switches it off"
    )
    parser.add_argument(
        "--start-timeout-s", type=float, metavar="S", help="for loading all models (default: 120)"
    )
    parser.add_argument(
        "--stop-timeout-s", type=float, metavar="S", help="for requests in flight (default: 10)"
    )
    parser.add_argument(
        "--control-secret-file",
        type=Path,
        metavar="FILE",
        help=f"holds the secret for loading models (default: {VARIABLE}, else one is made at each start)",
    )
    parser.add_argument(
        "--grpc-tls-dir",
        type=Path,
        metavar="DIR",
        help="holds tls.crt, tls.key and ca.crt: gRPC speaks mutual TLS (default: no TLS)",
    )
    parser.add_argument("--grpc-tls-name", metavar="NAME", help="the name in that certificate")
    parser.add_argument("--quiet", action="store_true", help="show only the errors of Triton's log")
    parser.add_argument("extra_args", nargs="*", metavar="-- ARG", help="further arguments for tritonserver")
    defaults["control_secret_file"] = os.environ.get(VARIABLE) or None
    parser.set_defaults(**{name: value for name, value in defaults.items() if name != "model_repository"})
    return parser


def _config(args: argparse.Namespace) -> EmbeddedConfig:
    settings = {name: getattr(args, name) for name in EmbeddedConfig.__dataclass_fields__}
    return EmbeddedConfig(**{**settings, "extra_args": tuple(args.extra_args)})


async def _serve(config: EmbeddedConfig) -> None:
    """Serve until a signal asks to stop; one during start-up cancels it."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    stop = asyncio.Event()
    started = False

    def ask_to_stop() -> None:
        stop.set()
        if not started:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask_to_stop)
    with contextlib.suppress(asyncio.CancelledError):
        async with serve(config) as servers:
            started = True
            with keep_secret_file(config, servers[0]) as path:
                for server in servers:
                    print(_announce(server), flush=True)
                print(f"models are loaded by who presents the secret in {path}", flush=True)
                await stop.wait()


def _announce(server: Server) -> str:
    return f"Triton is ready: gRPC {server.grpc_url}, HTTP http://{server.http_url}, metrics {server.metrics_url}"


if __name__ == "__main__":
    sys.exit(main())
