"""``python -m embedded.load dns:///NAME:PORT``: have every Triton of a name load what its model repository has new.

For an avatar that was put into a repository that running Tritons share. Those that are still starting are waited for,
as they may have looked at the repository before.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from embedded.command import Server
from embedded.control import VARIABLE, read_secret
from embedded.model_control import ModelControl, Refused, Unanswered
from embedded.tls import GrpcTls

__all__ = ["NotLoaded", "load_new", "main"]

DNS_SCHEME = "dns:///"
FRAMES = "_frames"
"""Ends the name of a model that every avatar has."""
RETRY_S = 1.0
NOBODY = {socket.EAI_NONAME, socket.EAI_NODATA}
"""What the system says of a name that DNS has no address for."""


class NotLoaded(Exception):
    """Raised when a Triton has not loaded everything; its text is a sentence."""


def main(argv: Sequence[str] | None = None) -> int:
    """Load; return 0, or 1 after one sentence, or 2 for an argument that cannot be."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        secret = read_secret(args.control_secret_file)
        tls = GrpcTls(args.grpc_tls_dir, args.grpc_tls_name) if args.grpc_tls_dir else None
        if tls is not None:
            tls.check()
    except (OSError, ValueError) as exc:
        parser.error(f"expected a file of the secret and those of TLS, got: {exc}")
    try:
        asyncio.run(_load_all(args.upstream, secret, tls, args.timeout_s))
    except NotLoaded as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


async def load_new(server: Server, timeout_s: float) -> list[str]:
    """Have one Triton load what it has not or has in an older version; return all models of its repository.

    Raises:
        NotLoaded: If it does not answer in time, or refuses one of them.
    """
    control = ModelControl(server, timeout_s)
    try:
        await asyncio.wait_for(_until_live(control), timeout_s)
        names = await control.repository_models()
        avatars = [name.removesuffix(FRAMES) for name in names if name.endswith(FRAMES)]
        # an avatar's ensemble brings its parts along; those of live speech, and what all share, come after it
        order = dict.fromkeys([*(name for name in avatars if name in names), *names])
        for name in order:
            await control.load(name)
        return list(order)
    except Refused as exc:
        raise NotLoaded(
            f"Triton at {server.grpc_url}: expected every model to be loaded, got: {exc}"
        ) from exc
    except (Unanswered, asyncio.TimeoutError) as exc:
        reason = str(exc) or f"none within {timeout_s:g} s"
        raise NotLoaded(f"Triton at {server.grpc_url}: expected an answer, got: {reason}") from exc
    finally:
        await control.close()


async def _until_live(control: ModelControl) -> None:
    while True:
        if await control.is_live():
            return
        await asyncio.sleep(RETRY_S)


async def _load_all(upstream: str, secret: str, tls: GrpcTls | None, timeout_s: float) -> None:
    """Load on every Triton at once, and say what came of it.

    Raises:
        NotLoaded: If one of them has not loaded everything; the others have nevertheless.
    """
    servers = [Server(host, 0, port, 0, secret, tls) for host, port in await _addresses(upstream)]
    outcomes = await asyncio.gather(
        *(load_new(server, timeout_s) for server in servers), return_exceptions=True
    )
    failed = []
    for server, outcome in zip(servers, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            failed.append(outcome)
        else:
            print(f"{server.grpc_url}: {', '.join(outcome)}", flush=True)
    for outcome in failed:
        raise outcome


async def _addresses(upstream: str) -> list[tuple[str, int]]:
    """Return the addresses of ``host:port``, or of all that DNS gives for ``dns:///host:port``; none is no error.

    Nobody who is there is nobody who could miss an avatar: whoever starts later finds it.

    Raises:
        NotLoaded: If DNS does not answer.
    """
    host, _, port = upstream.removeprefix(DNS_SCHEME).rpartition(":")
    if not upstream.startswith(DNS_SCHEME):
        return [(host, int(port))]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except socket.gaierror as exc:
        if exc.errno not in NOBODY:
            raise NotLoaded(
                f"expected addresses of {host}, got: {(exc.strerror or str(exc)).lower()}"
            ) from exc
        print(f"no Triton at {host}", flush=True)
        return []
    return sorted({(f"[{ip}]" if ":" in ip else ip, int(port)) for *_, (ip, *_) in found})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m embedded.load", description=__doc__)
    parser.add_argument(
        "upstream", type=_upstream, metavar="HOST:PORT", help="or dns:///HOST:PORT: all that DNS gives"
    )
    parser.add_argument(
        "--control-secret-file",
        type=Path,
        default=os.environ.get(VARIABLE) or None,
        required=not os.environ.get(VARIABLE),
        metavar="FILE",
        help=f"the secret that the Tritons ask for (default: {VARIABLE})",
    )
    parser.add_argument(
        "--grpc-tls-dir", type=Path, metavar="DIR", help="tls.crt, tls.key and ca.crt, if they speak TLS"
    )
    parser.add_argument("--grpc-tls-name", default="", metavar="NAME", help="the name in their certificate")
    parser.add_argument(
        "--timeout-s", type=float, default=600.0, metavar="S", help="for one model (default: 600)"
    )
    return parser


def _upstream(text: str) -> str:
    host, _, port = text.removeprefix(DNS_SCHEME).rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT or dns:///HOST:PORT, got {text}")
    return text


if __name__ == "__main__":
    sys.exit(main())
