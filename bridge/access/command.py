"""``python -m bridge token``: prints a short-lived token for a browser."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence

from bridge.access.door import load_keys
from bridge.access.tokens import MAX_LIFETIME_S, sign
from bridge.errors import ConfigError

__all__ = ["main"]

UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600}


def main(argv: Sequence[str], prog: str) -> int:
    """Print a token; return 0, or 2 after one sentence of error."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "--for",
        dest="lifetime_s",
        type=_seconds,
        default=300,
        metavar="TIME",
        help="300s, 5m, 1h (default 300s)",
    )
    parser.add_argument(
        "--tokens-file",
        default=os.environ.get("BRIDGE_TOKENS_FILE", ""),
        metavar="FILE",
        help="file of the bridge's secrets (BRIDGE_TOKENS_FILE)",
    )
    parser.add_argument("--name", default="", help="whose secret signs it (default: the first in the file)")
    parser.add_argument("--subject", default="", help="whose it is: what is counted together")
    args = parser.parse_args(argv)
    try:
        keys = load_keys(args.tokens_file).value
        signers = [key for key in keys if args.name in ("", key.name)]
        if not signers:
            raise ConfigError("--name", f"one of {', '.join(key.name for key in keys)}", args.name)
    except ConfigError as exc:
        print(f"bridge: {exc}", file=sys.stderr)
        return 2
    print(sign(signers[0], time.time() + args.lifetime_s, args.subject))
    return 0


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6})([smh]?)", text)
    seconds = int(match.group(1)) * UNITS_S[match.group(2)] if match else 0
    if not 1 <= seconds <= MAX_LIFETIME_S:
        raise argparse.ArgumentTypeError(f"expected 1 s to 24 h, such as 300s, 5m or 1h, got {text!r}")
    return seconds
