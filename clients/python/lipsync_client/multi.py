"""Compare several servers with one: ``python -m lipsync_client.multi --ports 8001 8011 8021 8031 --requests 20``.

The first server is asked alone, then all at the same time; the two runs ask for different frames, as a server with a
response cache would answer repeated ones from it.

Exit status: 0 when every request succeeded, 1 when one failed or a server is away, 2 for bad arguments, 130 after
Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Sequence

from lipsync_client.async_client import AsyncLipsyncClient
from lipsync_client.comparison import Comparison
from lipsync_client.errors import InvalidSetting, InvalidUrl, LipsyncError
from lipsync_client.summary import Summary
from lipsync_client.tester import Run, at_least, choose_model, run

__all__ = ["compare", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison and return its exit status."""
    parser = _build_parser()
    args = parser.parse_args(argv)
    urls = args.urls or [f"grpc://{args.host}:{port}" for port in args.ports]
    plan = Run(count=args.requests, concurrency=args.concurrency)
    try:
        comparison = asyncio.run(compare(urls, plan, args.model))
    except (InvalidUrl, InvalidSetting) as exc:
        parser.error(str(exc))
    except LipsyncError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps(comparison.to_dict(), indent=2) if args.json else comparison.to_text())
    return 1 if comparison.failed else 0


async def compare(urls: Sequence[str], plan: Run, model_name: str | None = None) -> Comparison:
    """Ask the first server alone, then all together.

    Args:
        urls: Of the servers, one or more.
        plan: What to ask each of.
        model_name: The avatar, None for the first server's first.

    Raises:
        LipsyncError: If a server cannot be reached at all; requests that fail later are counted.
    """
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(AsyncLipsyncClient(url)) for url in urls]
        name = model_name or await choose_model(clients[0])
        for client in clients:  # opens connections, and lets a server warm up
            await client.render(name, 0)
        alone = Summary(clients[0].url, name)
        await run(clients[0], plan, alone, quiet=True)
        together = [Summary(client.url, name) for client in clients]
        after = Run(count=plan.count, concurrency=plan.concurrency, start=plan.count)
        started = time.perf_counter()
        runs = (
            run(client, after, summary, quiet=True) for client, summary in zip(clients, together, strict=True)
        )
        await asyncio.gather(*runs)
        return Comparison(alone, together, time.perf_counter() - started)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lipsync_client.multi",
        description="Say what several servers add to one, and whether they are worth it.",
    )
    servers = parser.add_mutually_exclusive_group(required=True)
    servers.add_argument("--ports", type=at_least(1), nargs="+", metavar="PORT", help="gRPC ports on --host")
    servers.add_argument("--urls", nargs="+", metavar="URL", help="grpc(s):// or http(s)://host:port")
    parser.add_argument("--host", default="localhost", help="of --ports (default: localhost)")
    parser.add_argument("--requests", type=at_least(1), default=20, help="of each server (default: 20)")
    parser.add_argument(
        "--concurrency", type=at_least(1), default=1, help="requests at a time, of each (default: 1)"
    )
    parser.add_argument("--model", help="avatar to ask for (default: the first server's first)")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
