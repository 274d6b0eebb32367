"""Forward Triton's log, and find the line that says why it failed."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque

__all__ = ["LogTail"]

KEPT_LINES = 400
PREFIX = re.compile(r"^([IWE])\d{4} [\d:.]+ +\d+ (?:[\w./]+:\d+\] ?)?")
LEVELS = {"I": logging.INFO, "W": logging.WARNING, "E": logging.ERROR}
ERRORS = ("E", "error:", "tritonserver:", "Error: ")
HARMLESS = ("CudaDriverHelper has not been initialized", "unable to create stream", "NVML", "DCGM")

logger = logging.getLogger("embedded.triton")


class LogTail:
    """The end of one Triton process's log."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)

    async def forward(self, stream: asyncio.StreamReader) -> None:
        """Log every line of ``stream`` until it ends."""
        while line := await _read_line(stream):
            text = line.decode(errors="replace").rstrip()
            self.lines.append(text)
            logger.log(_level(text), "%s", text)

    def reason(self) -> str:
        """Return the line that says why Triton failed: the first error, without time stamp and source file."""
        errors = [line for line in self.lines if line.startswith(ERRORS) and not _harmless(line)]
        specific = [line for line in errors if "failed to load" in line or "failed to start" in line.lower()]
        for line in (*specific, *errors, *reversed(self.lines)):
            if line.strip():
                return PREFIX.sub("", line).strip().strip('"')
        return "it left no log"


def _level(line: str) -> int:
    match = PREFIX.match(line)
    return LEVELS[match[1]] if match and not _harmless(line) else logging.INFO


def _harmless(line: str) -> bool:
    return any(text in line for text in HARMLESS)


async def _read_line(stream: asyncio.StreamReader) -> bytes:
    """Read a line; of one longer than the stream's limit, as a table of models can be, what fits."""
    try:
        return await stream.readline()
    except ValueError:
        return b"(a line too long to show)\n"
