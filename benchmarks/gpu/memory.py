"""What the driver's own tool tells of the cards: names, memory in use, clocks and power."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from benchmarks.errors import NotAvailable

__all__ = ["FIELDS", "LOAD_FIELDS", "describe_card", "gpu_name", "used_mebibytes"]

LIMIT_S = 10.0
FIELDS = (
    *("name", "driver_version", "compute_cap", "memory.total", "memory.used", "mig.mode.current"),
    *("clocks.current.sm", "clocks.max.sm", "clocks.current.memory", "power.draw", "power.limit"),
    *("temperature.gpu", "pcie.link.gen.max", "pcie.link.width.max"),
)
LOAD_FIELDS = ("utilization.gpu", "clocks.current.sm", "power.draw", "temperature.gpu")
"""What says, under load, whether the card was busy, and whether it was slowed down."""


def gpu_name() -> str:
    """Return the first GPU's name.

    Raises:
        NotAvailable: If ``nvidia-smi`` is not there, fails, or knows of no GPU.
    """
    names = _query("name", units=False)
    if not names:
        raise NotAvailable("nvidia-smi", "expected a GPU, got none")
    return names[0]


def used_mebibytes() -> int:
    """Return what is in use on all GPUs, in MiB.

    Raises:
        NotAvailable: If ``nvidia-smi`` is not there, fails, or does not tell.
    """
    values = _query("memory.used", units=False)
    try:
        return sum(map(int, values))
    except ValueError as exc:  # a slice of a card may say [N/A]
        raise NotAvailable("the card's memory", f"expected MiB, got {' '.join(values)}") from exc


def describe_card(fields: Sequence[str] = FIELDS) -> dict[str, str]:
    """Return what the first GPU says of itself by field, with units; a field that this driver lacks is left out.

    Raises:
        NotAvailable: If ``nvidia-smi`` is not there, or fails for every field.
    """
    try:
        (first, *_) = _query(",".join(fields)) or [""]
        return dict(zip(fields, map(str.strip, first.split(",")), strict=True))
    except (NotAvailable, ValueError):  # one unknown field fails the whole query
        found = {}
        for field in fields:
            try:
                found[field] = _query(field)[0].strip()
            except (NotAvailable, IndexError):
                continue
        if not found:
            raise NotAvailable("nvidia-smi", f"expected one of {', '.join(fields)}, got none") from None
        return found


def _query(field: str, units: bool = True) -> list[str]:
    shape = "csv,noheader" if units else "csv,noheader,nounits"
    command = ["nvidia-smi", f"--query-gpu={field}", f"--format={shape}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError) as exc:
        raise NotAvailable("nvidia-smi", str(exc)) from exc
    return done.stdout.strip().splitlines()
