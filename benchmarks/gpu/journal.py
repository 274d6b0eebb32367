"""What a run found, kept as it comes: one JSON line a finding, and one Markdown file that is written anew each time."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.table import Cell, Row, to_markdown

__all__ = ["LINES", "LOG", "MARKDOWN", "TABLES", "Journal"]

LINES, MARKDOWN, LOG = "results.jsonl", "results.md", "log.txt"
TABLES = {
    "goals": "Goals",
    "steps": "Steps",
    "facts": "Machine, card and libraries",
    "roofline": "What the card allows at most",
    "parity": "Pictures beside those of ONNX Runtime on the CPU in float32",
    "engine": "The engine alone",
    "served": "End to end through Triton, each caller asking as soon as it is answered",
    "open": "End to end through Triton, asked at a fixed rate, latency from when a frame was due",
    "live": "Live sessions at 25 frames a second, through bridge and Triton",
    "instances": "Instances of the network, strategy hybrid",
}
LOG_CHARACTERS = 4_000
"""Kept of what one step's process and its children say."""


class Journal:
    """Collects rows by table; each is on the disk before the next is measured.

    Args:
        folder: Where results go; made if it is not there. Files of an earlier run are replaced.
        head: The first lines of the Markdown file.
    """

    def __init__(self, folder: Path, head: str) -> None:
        self.folder, self._head = folder, head
        self.rows: dict[str, list[Row]] = {name: [] for name in TABLES}
        self._notes: dict[str, list[str]] = {name: [] for name in TABLES}
        folder.mkdir(parents=True, exist_ok=True)
        for name in (LINES, LOG):
            (folder / name).write_text("", encoding="utf-8")
        self._write()

    @property
    def markdown(self) -> Path:
        """The file for people."""
        return self.folder / MARKDOWN

    def add_row(self, table: str, row: Row) -> None:
        """Keep one row of a table."""
        self._append({"table": table, "row": dict(row)})
        self.rows[table].append(row)
        self._write()

    def add_note(self, table: str, text: str) -> None:
        """Keep one sentence, which stands below a table."""
        self._append({"table": table, "note": text})
        self._notes[table].append(text)
        self._write()

    def set_rows(self, table: str, rows: list[Row]) -> None:
        """Replace a table's rows, which are computed from others and so have no lines of their own."""
        self.rows[table] = rows
        self._write()

    def add_log(self, step: str, text: str) -> None:
        """Keep the end of what a step's process said."""
        if text.strip():
            with (self.folder / LOG).open("a", encoding="utf-8") as file:
                file.write(f"=== {step}\n{text[-LOG_CHARACTERS:].rstrip()}\n")

    def values(self, table: str, column: str, **where: Cell) -> list[float]:
        """Return a column's numbers of those rows that have the given cells."""
        rows = [row for row in self.rows[table] if all(row.get(key) == value for key, value in where.items())]
        return [float(row[column]) for row in rows if isinstance(row.get(column), int | float)]

    def _append(self, line: Mapping[str, Any]) -> None:
        with (self.folder / LINES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _write(self) -> None:
        """Write the Markdown file whole: who looks at it, or copies it, never finds half of one."""
        sections = [self._head, *(self._section(name) for name in TABLES)]
        new = self.folder / f"{MARKDOWN}.part"
        with new.open("w", encoding="utf-8") as file:
            file.write("\n".join(filter(None, sections)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.markdown)

    def _section(self, name: str) -> str:
        rows, notes = self.rows[name], self._notes[name]
        if not rows and not notes:
            return ""
        table = to_markdown(rows) if rows else ""
        return "\n".join([f"### {TABLES[name]}", "", table, *(f"{note}\n" for note in notes)])
