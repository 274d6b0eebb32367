"""Rows to Markdown and CSV: one dict per row, columns in the order of the first."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["Cell", "Row", "to_markdown", "write_csv"]

Cell = str | int | float
Row = Mapping[str, Cell]

PRECISE_BELOW = 10.0


def to_markdown(rows: Sequence[Row]) -> str:
    """Return a Markdown table; numbers have the digits that a benchmark can vouch for."""
    if not rows:
        return "(no rows)\n"
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns)]
    lines += [[_text(row.get(column, "")) for column in columns] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows unrounded, with a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        columns = dict.fromkeys(column for row in rows for column in row)
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _text(cell: Cell) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return (
        f"{cell:.2f}" if abs(cell) < PRECISE_BELOW else f"{cell:,.1f}" if abs(cell) < 1000 else f"{cell:,.0f}"
    )
