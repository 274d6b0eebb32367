"""What a step's process tells the run: one JSON line a finding, through a pipe that nothing else writes to."""

from __future__ import annotations

import json
import os
import time

from benchmarks.table import Cell

__all__ = ["Findings"]


class Findings:
    """The step's end of the pipe.

    Args:
        descriptor: Where to write.
        limit_s: How long the step may take, from now.
    """

    def __init__(self, descriptor: int, limit_s: float) -> None:
        self._descriptor = descriptor
        self._end_s = time.monotonic() + limit_s

    @property
    def left_s(self) -> float:
        """Seconds until the step is ended from outside."""
        return self._end_s - time.monotonic()

    def row(self, table: str, **cells: Cell) -> None:
        """Tell of one row of a table; it is on the disk soon after, whatever happens to this process."""
        self._tell(table=table, row=cells)

    def note(self, table: str, text: str) -> None:
        """Tell a sentence that stands below a table."""
        self._tell(table=table, note=text)

    def found(self, key: str, value: object) -> None:
        """Tell what later steps depend on."""
        self._tell(key=key, value=value)

    def failed(self, reason: str) -> None:
        """Tell why the step ends here."""
        self._tell(failed=reason)

    def _tell(self, **message: object) -> None:
        line = (json.dumps(message) + "\n").encode()
        while line:
            line = line[os.write(self._descriptor, line) :]
