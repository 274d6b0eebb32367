"""Fuzz parsers: ``python -m tests.fuzz [--parser NAME] [--runs N] [--seed N] [--first I]``.

Each parser runs in a process of its own, so that a crash within a library is a fault like any other; it is told, and
the inputs after it are fed to the next process.
"""

from __future__ import annotations

import argparse
import hashlib
import mmap
import os
import signal
import struct
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz.names import NAMES

HEAD = struct.Struct("<qI")
SHARED_BYTES = 4 << 20
STUCK_S = 120.0
EVERY_S = 10.0


def main() -> int:
    """Fuzz; return 0, or 1 if there was a fault."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--parser", action="append", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    options.add_argument(
        "--runs", type=int, default=0, help="inputs for each parser; 0: what its speed allows"
    )
    options.add_argument("--seed", type=int, default=1, help="number of the series of inputs")
    options.add_argument("--first", type=int, default=0, help="index to begin with")
    options.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="where inputs of faults go")
    args = options.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    return max([_fuzz(name, args) for name in args.parser or NAMES])


def _fuzz(name: str, args: argparse.Namespace) -> int:
    """Fuzz one parser until all its inputs are fed, in as many processes as it crashes, and one more."""
    first, end, code = args.first, args.first + args.runs, 0
    while True:
        shared = mmap.mmap(-1, SHARED_BYTES)
        child = os.fork()
        if not child:
            os._exit(_child(name, args, first, end - first, shared))
        status = _wait(child, name, shared)
        if os.WIFEXITED(status):
            return max(code, os.WEXITSTATUS(status))
        index, size = HEAD.unpack_from(shared)
        what = (
            f"ended by signal {os.WTERMSIG(status)} (11: SIGSEGV; 9: stuck for {STUCK_S:g} s, or no memory)"
        )
        _tell(name, args, index, shared[HEAD.size : HEAD.size + size], what)
        first, code = index + 1, 1
        if first >= end and args.runs:
            return code


def _child(name: str, args: argparse.Namespace, first: int, count: int, shared: mmap.mmap) -> int:
    try:
        from tests.fuzz.run import fuzz
        from tests.fuzz.table import PARSERS

        def watch(index: int, content: bytes) -> None:
            shared[: HEAD.size + len(content)] = HEAD.pack(index, len(content)) + content

        HEAD.pack_into(shared, 0, -1, 0)
        parser, start_s = PARSERS[name], time.monotonic()
        count = count if args.runs else parser.runs - first + args.first
        report = fuzz(parser, args.seed, first, count, watch=watch)
        for fault in report.faults:
            _tell(name, args, fault.index, fault.content, fault.what)
        inputs = report.taken + report.refused
        print(
            f"{name}: {inputs:,} inputs in {time.monotonic() - start_s:.0f} s, {report.taken:,} taken, slowest "
            f"{report.slowest_s * 1000:.0f} ms, grew by {report.grown_bytes >> 20} MiB, {len(report.faults)} faults",
            flush=True,
        )
        return int(bool(report.faults))
    except BaseException:
        traceback.print_exc()
        return 2


def _wait(child: int, name: str, shared: mmap.mmap) -> int:
    """Wait for a process, telling how far it is; one that is stuck at an input is killed."""
    last, since_s, told_s = -2, time.monotonic(), time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        index, now_s = HEAD.unpack_from(shared)[0], time.monotonic()
        if index != last:
            last, since_s = index, now_s
        elif now_s - since_s > STUCK_S:
            os.kill(child, signal.SIGKILL)
        if now_s - told_s > EVERY_S:
            print(f"{name}: input {index:,}", file=sys.stderr, flush=True)
            told_s = now_s
        time.sleep(0.2)


def _tell(name: str, args: argparse.Namespace, index: int, content: bytes, what: str) -> None:
    """Keep an input that was a fault, and say how to have it again."""
    folder = args.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(content).hexdigest()[:16]
    path.write_bytes(content)
    again = f"python -m tests.fuzz --parser {name} --seed {args.seed} --first {index} --runs 1"
    print(f"{name}: {what}\n  kept as {path}; again: {again}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
