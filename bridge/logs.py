"""The log: a line per event on stderr, for people or, as JSON, for programs; with the request's id if there is one.

A frame is no event at level info: metrics count frames. At level debug each has its line.
"""

from __future__ import annotations

import json
import logging
import sys
import time

from bridge import request_id
from bridge.errors import BridgeError, InferTimeout, InternalError, Overloaded, Refused

__all__ = ["LOG_FORMATS", "JsonFormatter", "TextFormatter", "log_failure", "set_up_logging"]

LOG_FORMATS = ("text", "json")

logger = logging.getLogger(__name__)


class TextFormatter(logging.Formatter):
    """Writes time, level, logger and message, and the request's id in brackets."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without traceback."""
        line = super().formatMessage(record)
        current = request_id.current.get()
        return f"{line} [{current}]" if current else line


class JsonFormatter(logging.Formatter):
    """Writes an object per line: ``time`` in UTC, ``level``, ``logger``, ``message``, ``request_id``, ``traceback``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object; keys without a value are absent."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.current.get(),
            "traceback": self.formatException(record.exc_info) if record.exc_info else "",
        }
        return json.dumps({key: value for key, value in fields.items() if value})


def set_up_logging(level: str, log_format: str) -> None:
    """Log to stderr from now on.

    Args:
        level: One of ``config.LOG_LEVELS``.
        log_format: One of LOG_FORMATS.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level != "debug":
        # it logs every connection, and a traceback for every port scan
        logging.getLogger("websockets").setLevel(logging.CRITICAL)


def log_failure(error: BridgeError) -> None:
    """Log what an operator should know of a request that failed; a client's own mistakes are not among it."""
    if isinstance(error, (InternalError, Refused)):
        logger.error("%s", error.detail)
    elif isinstance(error, Overloaded) and error.waited_s is not None:
        logger.debug(
            "%s", error
        )  # there are thousands of them, and whoever refuses them tells of them together
    elif isinstance(error, (InferTimeout, Overloaded)):
        logger.warning("%s", error)
