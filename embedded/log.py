"""Forward Triton's log, and find the line that says why it failed."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque

__all__ = ["LogTail"]

KEPT_LINES = 400
KEPT_ERRORS = 50
PREFIX = re.compile(r"^([IWE])\d{4} [\d:.]+ +\d+ (?:[\w./]+:\d+\] ?)?")
LEVELS = {"I": logging.INFO, "W": logging.WARNING, "E": logging.ERROR}
PLAIN_ERROR = re.compile(r"error:|Error: |\S*tritonserver: ")
TELLING = ("Poll failed", "failed to load", "failed to start")
HARMLESS = ("CudaDriverHelper has not been initialized", "unable to create stream", "NVML", "DCGM")
PARSER = re.compile(r"^\[libprotobuf ERROR .*ModelConfig: (.*)")
BALLAST = re.compile(r"(\\n)+At:.*|Internal: TritonModelException: ")
"""A Python backend's traceback, on one line, and its exception's name."""

logger = logging.getLogger("embedded.triton")


class LogTail:
    """The end of one Triton process's log, and the last of its errors."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.errors: deque[str] = deque(maxlen=KEPT_ERRORS)
        self.parser_error = ""

    async def forward(self, stream: asyncio.StreamReader) -> None:
        """Log every line of ``stream`` until it ends."""
        while line := await _read_line(stream):
            text = line.decode(errors="replace").rstrip()
            level = _level(text)
            logger.log(level, "%s", text)
            self.lines.append(text)
            if level == logging.ERROR:
                self.errors.append(text)
            elif match := PARSER.match(text):
                self.parser_error = f": {match[1]}"

    def reason(self) -> str:
        """Return the line that says why Triton failed: the most telling error, else the last line.

        It comes without time stamp, source file and traceback; a config that cannot be read, with the parser's words.
        """
        telling = [line for words in TELLING for line in self.errors if words in line]
        for line in (*telling, *self.errors, *reversed(self.lines)):
            if line.strip():
                text = BALLAST.sub("", PREFIX.sub("", line).strip().strip('"'))
                return text + self.parser_error if text.endswith(".pbtxt") else text
        return "it left no log"


def _level(line: str) -> int:
    if _harmless(line):
        return logging.INFO
    match = PREFIX.match(line)
    return LEVELS[match[1]] if match else logging.ERROR if PLAIN_ERROR.match(line) else logging.INFO


def _harmless(line: str) -> bool:
    return any(text in line for text in HARMLESS)


async def _read_line(stream: asyncio.StreamReader) -> bytes:
    """Read a line; of one longer than the stream's limit, as a table of models can be, what fits."""
    try:
        return await stream.readline()
    except ValueError:
        return b"(a line too long to show)\n"
