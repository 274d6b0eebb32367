"""Read a JSON file that anybody may have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from export.bounds import read_plain
from export.errors import BadSource

__all__ = ["read_object", "shown"]

MOST_SHOWN = 200


def read_object(path: Path, most: int) -> dict[str, Any]:
    """Read a file of up to ``most`` bytes that holds a JSON object.

    Raises:
        BadSource: If it is missing, larger or holds anything else.
        OSError: If it cannot be read.
    """
    data = read_plain(path, "a JSON file", most)
    try:
        content = json.loads(data.decode("utf-8"))
    except RecursionError as exc:
        raise BadSource(path, "a JSON object", "one within another too often") from exc
    except ValueError as exc:
        raise BadSource(path, "a JSON object", f"text that is not JSON ({shown(exc)})") from exc
    if not isinstance(content, dict):
        raise BadSource(path, "a JSON object", f"a {type(content).__name__}")
    return content


def shown(value: object) -> str:
    """Return a value as a sentence can carry it: cut, and with nothing in it that a terminal obeys."""
    try:
        text = str(value)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits"
    text = "".join(
        letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[: MOST_SHOWN + 1]
    )
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
