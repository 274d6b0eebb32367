"""What a step told, for tests that call its ``measure`` in their own process."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

__all__ = ["Told"]


class Told:
    """Takes the place of ``Findings``.

    Attributes:
        rows: By table.
        notes: By table.
        facts: By key.
        left_s: What is left of the time.
    """

    def __init__(self, left_s: float = 600.0) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.notes: dict[str, list[str]] = defaultdict(list)
        self.facts: dict[str, Any] = {}
        self.left_s = left_s

    def row(self, table: str, **cells: Any) -> None:
        self.rows[table].append(cells)

    def note(self, table: str, text: str) -> None:
        self.notes[table].append(text)

    def found(self, key: str, value: Any) -> None:
        self.facts[key] = value
