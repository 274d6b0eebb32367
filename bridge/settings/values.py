"""What a setting's text may be: parsers, which return its value or say what was expected.

They hold the field of a dataclass together with its parser and its meaning, which the usage and the documents show.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from bridge.errors import ConfigError

__all__ = ["Parse", "choice", "integer", "optional_text", "seconds", "setting", "text"]

Parse = Callable[[str, str], Any]
"""Takes a setting's key and text, returns its value or raises ConfigError."""


def setting(default: object, parse: Parse, meaning: str) -> Any:
    """Return the field of a setting."""
    return dataclasses.field(default=default, metadata={"parse": parse, "meaning": meaning})


def text(key: str, given: str) -> str:
    """Return a name or an address, which is not empty.

    Raises:
        ConfigError: If it is.
    """
    if not given.strip():
        raise ConfigError(key, "a name or an address", given)
    return given.strip()


def optional_text(key: str, given: str) -> str:
    """Return a text that may be empty."""
    return given.strip()


def integer(low: int, high: int) -> Parse:
    """Return the parser of an integer from ``low`` to ``high``."""

    def parse(key: str, given: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", given.strip()) or not low <= int(given) <= high:
            raise ConfigError(key, f"an integer from {low} to {high}", given)
        return int(given)

    return parse


def seconds(low: float, high: float) -> Parse:
    """Return the parser of a number of seconds from ``low`` to ``high``."""

    def parse(key: str, given: str) -> float:
        try:
            value = float(given)
        except ValueError:
            value = math.nan
        if not low <= value <= high:  # false for nan, too
            raise ConfigError(key, f"seconds from {low:g} to {high:g}", given)
        return value

    return parse


def choice(names: Sequence[str]) -> Parse:
    """Return the parser of one of some names."""

    def parse(key: str, given: str) -> str:
        if given not in names:
            raise ConfigError(key, f"one of {', '.join(names)}", given)
        return given

    return parse
