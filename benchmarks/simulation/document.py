"""Tables within a document, each between two marks, written anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.errors import BadParameters

__all__ = ["replace_tables"]


def replace_tables(document: Path, texts: Mapping[str, str]) -> None:
    """Put texts between their marks, ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``; all or none.

    Raises:
        BadParameters: If the document, or a mark, is not there.
    """
    try:
        text = document.read_text(encoding="utf-8")
    except OSError as exc:
        raise BadParameters(str(document), "a document", str(exc.strerror)) from exc
    for name, body in texts.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, found_begin, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found_begin or not found_end:
            raise BadParameters(str(document), f"{begin} and {end}", "a document without them")
        text = f"{before}{begin}\n\n{body.strip()}\n\n{end}{after}"
    document.write_text(text, encoding="utf-8")
