"""``python drain.py PORT SECONDS``: wait until no live session is open on this machine's bridge, at most so long.

For an orchestrator that has taken the bridge out of its service and is about to stop it: Kubernetes' ``preStop``.
It runs in the container, from the file, with nothing but the standard library.
"""

from __future__ import annotations

import re
import sys
import time
import urllib.request

__all__ = ["main", "open_sessions"]

LEAST_S = 5.0
"""Whoever leads clients here may take so long to hear that it is over."""

INTERVAL_S = 0.5
TIMEOUT_S = 5.0
GAUGE = re.compile(r"^lipsync_bridge_speech_sessions(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)
"""One line, or one of each of several workers."""


def main() -> int:
    """Wait; return 0, or 1 after one sentence where the bridge does not answer, so that nobody waits for it."""
    port, most_s = int(sys.argv[1]), float(sys.argv[2])
    start_s = time.monotonic()
    while (waited_s := time.monotonic() - start_s) < max(most_s, LEAST_S):
        try:
            sessions = open_sessions(port)
        except OSError as exc:
            print(f"error: expected metrics of the bridge on port {port}, got: {exc}", file=sys.stderr)
            return 1
        if not sessions and waited_s >= LEAST_S:
            break
        time.sleep(INTERVAL_S)
    return 0


def open_sessions(port: int) -> int:
    """Return how many live sessions the bridge of this machine has.

    Args:
        port: Where it answers ``/metrics`` to whoever asks: ``BRIDGE_METRICS_PORT``.

    Raises:
        OSError: If it does not.
    """
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT_S) as answer:
        found = GAUGE.findall(answer.read().decode())
    if not found:
        raise OSError("none of live sessions among them")
    return round(sum(map(float, found)))


if __name__ == "__main__":
    sys.exit(main())
