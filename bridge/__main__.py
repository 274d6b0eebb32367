"""``python -m bridge``: settings from argv and environment, signals, exit codes; ``python -m bridge token``.

Exit codes: 0 after SIGTERM or SIGINT, 1 when it cannot listen or find its
Tritons, 2 for a setting it cannot use.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import uvloop

from bridge.access.command import main as print_token
from bridge.config import BridgeConfig, load_config
from bridge.errors import START_ERRORS, ConfigError
from bridge.front.descriptors import raise_limit
from bridge.front.memory import give_memory_back
from bridge.logs import set_up_logging
from bridge.server import serve
from bridge.workers.supervisor import supervise
from bridge.workers.worker import Listening

__all__ = ["main"]


def main(argv: Sequence[str] | None = None, prog: str = "python -m bridge") -> int:
    """Run the bridge until a signal; return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["token"]:
        return print_token(arguments[1:], f"{prog} token")
    try:
        config = load_config(arguments, os.environ, prog)
    except ConfigError as exc:
        print(f"bridge: {exc}", file=sys.stderr)
        return 2
    set_up_logging(config.log_level, config.log_format)
    raise_limit()
    give_memory_back()
    try:
        uvloop.run(_serve_until_signal(config) if config.workers == 1 else _supervise(config))
    except START_ERRORS as exc:
        print(f"bridge: {exc}", file=sys.stderr)
        return 1
    return 0


async def _serve_until_signal(config: BridgeConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serve(config) as bridge:
        _say(Listening.of(bridge))
        await stop.wait()
        for number in (signal.SIGTERM, signal.SIGINT):  # a second one does not wait for anybody
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)


async def _supervise(config: BridgeConfig) -> None:
    await supervise(config, lambda listening: _say(listening, f", {config.workers} workers"))


def _say(listening: Listening, more: str = "") -> None:
    also = f", gRPC {listening.grpc_address}" if listening.grpc_address else ""
    print(
        f"bridge: {listening.url}{also} ({listening.ready} of {listening.total} Tritons ready{more})",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
