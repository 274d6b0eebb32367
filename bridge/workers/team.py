"""What the workers of one bridge know of each other, as one of them sees it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import MutableSequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Team"]


def _alone() -> list[float]:
    return [0.0]


@dataclass(frozen=True)
class Team:
    """A worker and its siblings; made without arguments, one that has none.

    Attributes:
        index: Which of them this is, from 0 on.
        sessions: Live sessions that are open, of each worker; each writes its own number, and reads all.
        promised: The share of Triton's pictures that each worker's sessions may need, likewise.
        folder: Where they meet; None where there are no others.
    """

    index: int = 0
    sessions: MutableSequence[float] = field(default_factory=_alone)
    promised: MutableSequence[float] = field(default_factory=_alone)
    folder: Path | None = None

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self.sessions)

    @property
    def has_others(self) -> bool:
        """Whether ports are shared with anybody."""
        return self.folder is not None

    @property
    def session_count(self) -> int:
        """How many live sessions all workers have."""
        return round(sum(self.sessions))

    @property
    def promised_share(self) -> float:
        """The share of Triton's pictures that is promised to sessions of all workers."""
        return sum(self.promised)

    def note(self, sessions: int, promised: float) -> None:
        """Tell the others what this worker has."""
        self.sessions[self.index] = sessions
        self.promised[self.index] = promised

    def socket(self, index: int) -> Path:
        """Return where a worker tells its metrics."""
        assert self.folder is not None
        return self.folder / f"{index}.sock"

    def rate_of(self, clip: str) -> float | None:
        """Return how many pictures a second were measured of a clip by any of the others; None if nobody knows."""
        if self.folder is None:
            return None
        with contextlib.suppress(OSError, ValueError):
            return float(self._rate_file(clip).read_text(encoding="ascii"))
        return None

    def note_rate(self, clip: str, pictures_per_s: float) -> None:
        """Tell the others how many pictures a second were measured of a clip."""
        if self.folder is not None:
            new = self.folder / f"{self.index}.new"
            new.write_text(repr(pictures_per_s), encoding="ascii")
            new.replace(self._rate_file(clip))

    def _rate_file(self, clip: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{hashlib.sha256(clip.encode()).hexdigest()}.rate"
