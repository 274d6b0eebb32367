"""What is made of files that change while the bridge runs: made anew then, and kept where the new ones are no good."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from bridge.errors import BridgeError

__all__ = ["Watched"]

Value = TypeVar("Value")

logger = logging.getLogger(__name__)


class Watched(Generic[Value]):
    """A value made of files, looked at whenever it is asked for.

    Args:
        paths: The files.
        make: Makes the value; raises BridgeError, or OSError, where the files are no good.

    Raises:
        BridgeError: At the start, what ``make`` raises; OSError likewise.
    """

    def __init__(self, paths: Sequence[str], make: Callable[[], Value]) -> None:
        self._paths = [Path(path) for path in paths]
        self._make = make
        self._seen = self._state()
        self._value = make()

    @property
    def value(self) -> Value:
        """The value of the files as they are, or were when they were last any good."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            names = ", ".join(map(str, self._paths))
            try:
                self._value = self._make()
                logger.info("%s: read again", names)
            except (BridgeError, OSError) as exc:
                logger.error("%s: what was read before goes on, for: %s", names, exc)
        return self._value

    def _state(self) -> list[tuple[int, int, int] | None]:
        return [_state_of(path) for path in self._paths]


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()  # of what a link leads to: that is how mounted secrets are replaced
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
