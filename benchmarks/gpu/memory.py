"""Memory in use on the GPUs, as the driver's own tool tells."""

from __future__ import annotations

import subprocess

from benchmarks.errors import NotAvailable

__all__ = ["gpu_name", "used_mebibytes"]

LIMIT_S = 10.0


def gpu_name() -> str:
    """Return the first GPU's name.

    Raises:
        NotAvailable: If ``nvidia-smi`` is not there or fails.
    """
    return _query("name")[0]


def used_mebibytes() -> int:
    """Return what is in use on all GPUs, in MiB.

    Raises:
        NotAvailable: If ``nvidia-smi`` is not there or fails.
    """
    return sum(map(int, _query("memory.used")))


def _query(field: str) -> list[str]:
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError) as exc:
        raise NotAvailable("nvidia-smi", str(exc)) from exc
    return done.stdout.strip().splitlines()
