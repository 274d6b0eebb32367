"""What a run found: CSV files for programs, and one Markdown file for people, which the documents quote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import describe_machine, today
from benchmarks.table import Row, to_markdown, write_csv

__all__ = ["MARKDOWN", "Report"]

MARKDOWN = "results.md"


class Report:
    """Collects tables; each is printed and written to its CSV at once, so that a broken-off run keeps the others.

    Args:
        folder: Where results go; made if it is not there.
        command: What was typed.
    """

    def __init__(self, folder: Path, command: str) -> None:
        self.folder = folder
        self._sections: list[str] = []
        self._head = f"{today()}, `{command}`\n\n{describe_machine()}\n"

    def add(self, name: str, title: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
        """Add one table.

        Args:
            name: Of its CSV, without the ending.
            title: Its heading.
            rows: At least one.
            notes: Sentences below it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        write_csv(self.folder / f"{name}.csv", rows)
        section = "\n".join([f"### {title}", "", to_markdown(rows), *(f"{note}\n" for note in notes)])
        self._sections.append(section)
        print(f"\n{section}", flush=True)

    def write(self) -> Path:
        """Write the Markdown file, and return its path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / MARKDOWN
        path.write_text("\n".join([self._head, *self._sections]), encoding="utf-8")
        return path
