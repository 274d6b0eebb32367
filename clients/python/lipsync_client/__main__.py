"""Command-line tester: ``python -m lipsync_client --url grpc://localhost:8001 --count 100``.

With ``speak`` as its first word it makes a video instead: see ``lipsync_client.speak``.

Exit status: 0 when every request succeeded, 1 when one failed or the server is away, 2 for bad arguments,
130 after Ctrl-C, which prints the summary so far.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lipsync_client.async_client import AsyncLipsyncClient
from lipsync_client.errors import InvalidSetting, InvalidUrl, LipsyncError
from lipsync_client.speak import main as speak
from lipsync_client.summary import Summary
from lipsync_client.tester import Run, at_least, choose_model, run

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tester and return its exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["speak"]:
        return speak(words[1:])
    parser = _build_parser()
    args = parser.parse_args(words)
    try:
        client = AsyncLipsyncClient(args.url, infer_timeout_s=args.infer_timeout_s)
    except (InvalidUrl, InvalidSetting) as exc:
        parser.error(str(exc))
    except LipsyncError as exc:
        return _fail(str(exc))
    summary = Summary(client.url, args.model or "")
    try:
        asyncio.run(_run(client, args, summary))
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # ends the line of progress
        _report(summary, as_json=args.json)
        return 130
    except (LipsyncError, OSError) as exc:
        return _fail(str(exc))
    _report(summary, as_json=args.json)
    return 1 if summary.errors else 0


async def _run(client: AsyncLipsyncClient, args: argparse.Namespace, summary: Summary) -> None:
    plan = Run(count=args.count, concurrency=args.concurrency, start=args.start, save_dir=args.save)
    if plan.save_dir is not None:
        plan.save_dir.mkdir(parents=True, exist_ok=True)
    async with client:
        summary.model_name = args.model or await choose_model(client)
        await run(client, plan, summary)


def _report(summary: Summary, *, as_json: bool) -> None:
    print(json.dumps(summary.to_dict(), indent=2) if as_json else summary.to_text())


def _fail(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return 1


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lipsync_client",
        description="Ask a server for frames of an avatar, and say how fast they came.",
        epilog="`python -m lipsync_client speak --help` tells how to make a video of an avatar that says a sound.",
    )
    parser.add_argument("--url", default="grpc://localhost:8001", help="grpc(s):// or http(s)://host:port")
    parser.add_argument("--model", help="avatar to ask for (default: the server's first)")
    parser.add_argument("--count", type=at_least(1), default=100, help="requests in all (default: 100)")
    parser.add_argument("--concurrency", type=at_least(1), default=1, help="requests at a time (default: 1)")
    parser.add_argument("--start", type=at_least(0), default=0, help="first frame id (default: 0)")
    parser.add_argument("--infer-timeout-s", type=float, default=5.0, help="deadline of one, in seconds")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write <model>_<id>.jpg there")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
