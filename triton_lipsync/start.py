"""``python -m triton_lipsync.start``: Triton and bridge together on this machine, on every avatar of the repository."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import logging
import os
import shlex
import signal
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import uvloop

import bridge.server
import embedded
from bridge.config import GRPC_OFF, BridgeConfig
from bridge.errors import START_ERRORS
from embedded import EmbeddedConfig, EmbeddedError, Server
from embedded.control import HTTP_HEADER, VARIABLE
from triton_lipsync.compute import describe_compute

__all__ = ["main"]

METRICS_TIMEOUT_S = 2.0
ON_CARDS = (
    "Networks compute on this machine's NVIDIA cards where the package onnxruntime-gpu is installed, which "
    "python -m embedded.gpu (triton-lipsync gpu) does; CUDA_VISIBLE_DEVICES= hides the cards."
)


def main(argv: Sequence[str] | None = None, prog: str = "python -m triton_lipsync.start") -> int:
    """Serve until Ctrl-C or SIGTERM; return 0, or 1 after one sentence of error."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__, epilog=ON_CARDS)
    parser.add_argument("--model-repository", type=Path, default=Path("model_repository"), metavar="DIR")
    parser.add_argument("--strategy", default="replay", help="config variant of the models (default: replay)")
    parser.add_argument("--host", default="127.0.0.1", help="address of the page (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8086, help="port of the page (default: 8086)")
    parser.add_argument(
        "--triton-port", type=int, default=8000, help="first of Triton's three ports (default: 8000)"
    )
    parser.add_argument(
        "--grpc-port", type=int, default=GRPC_OFF, help="port of the bridge's gRPC service (default: off)"
    )
    parser.add_argument(
        "--control-secret-file",
        type=Path,
        default=os.environ.get(VARIABLE) or None,
        metavar="FILE",
        help=f"holds the secret for loading models (default: {VARIABLE}, else one is made at each start)",
    )
    parser.add_argument("--verbose", action="store_true", help="show Triton's log")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO if args.verbose else logging.ERROR, format="%(message)s")
    try:
        uvloop.run(_serve(args, BridgeConfig(host=args.host, port=args.port, grpc_port=args.grpc_port)))
    except (*START_ERRORS, EmbeddedError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


async def _serve(args: argparse.Namespace, bridge_config: BridgeConfig) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        print("starting Triton …", flush=True)
        triton_config = _triton_config(args)
        async with embedded.serve(triton_config) as (triton,):
            with embedded.keep_secret_file(triton_config, triton) as secret_file:
                config = dataclasses.replace(
                    bridge_config, upstreams=(triton.grpc_url,), triton_secret_file=str(secret_file)
                )
                async with bridge.server.serve(config) as running:
                    print(f"Triton   gRPC {triton.grpc_url}   HTTP {triton.http_url}")
                    print(f"avatars  {_load_command(triton, secret_file)}")
                    for line in await asyncio.to_thread(_compute, triton):
                        print(f"compute  {line}")
                    print(f"page     {running.url}   (Ctrl-C stops)", flush=True)
                    await asyncio.Event().wait()
    print("stopped", flush=True)


def _load_command(triton: Server, secret_file: Path) -> str:
    """Return the command that has the running Triton load another avatar."""
    header = f'-H "{HTTP_HEADER}: $(cat {shlex.quote(str(secret_file))})"'
    return f"curl -X POST {header} {triton.http_url}/v2/repository/models/NAME/load"


def _compute(triton: Server) -> list[str]:
    """Return what each network computes on; nothing where the running Triton does not say."""
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(triton.metrics_url, timeout=METRICS_TIMEOUT_S) as answer,
    ):
        return describe_compute(answer.read().decode())
    return []


def _triton_config(args: argparse.Namespace) -> EmbeddedConfig:
    first = args.triton_port
    return EmbeddedConfig(
        model_repository=args.model_repository,
        strategy=args.strategy,
        http_port=first,
        grpc_port=first and first + 1,
        metrics_port=first and first + 2,
        stop_timeout_s=3.0,
        control_secret_file=args.control_secret_file,
    )


if __name__ == "__main__":
    sys.exit(main())
