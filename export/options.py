"""Numbers on a command line, for every command that takes some: refused with what was expected and what came."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

__all__ = ["above_zero", "at_least"]


def at_least(least: int) -> Callable[[str], int]:
    """Return an argparse type that reads an integer of ``least``, which is not negative, or more.

    It raises argparse.ArgumentTypeError for anything else.
    """

    def integer(text: str) -> int:
        number = int(text) if text.isdecimal() and len(text) < 20 else None
        if number is None or number < least:
            raise argparse.ArgumentTypeError(f"expected an integer of {least} or more, got {text!r}")
        return number

    return integer


def above_zero(text: str) -> float:
    """Read a finite number above 0, as an argparse type.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number
