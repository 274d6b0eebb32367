"""Which network of the family a file holds: its geometry, its kind of speech features, its window. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.contract import Geometry
from export.errors import BadMode
from speech.contract import window_shape

__all__ = ["Kind", "choose_kind"]


@dataclass(frozen=True)
class Kind:
    """A network of the family, but for its width and weights.

    Attributes:
        geometry: How it sees a face.
        audio_mode: The kind of speech features it hears.
        window: How many vectors of them at once.
    """

    geometry: Geometry
    audio_mode: str
    window: int

    @property
    def audio_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one window of speech."""
        return window_shape(self.audio_mode, self.window)


def choose_kind(path: Path, kinds: Sequence[Kind], audio_mode: str | None) -> Kind:
    """Return the one of a file's possible kinds that hears an audio mode; where none is named, the first.

    Raises:
        BadMode: If none of them hears it.
    """
    for kind in kinds:
        if audio_mode in (None, kind.audio_mode):
            return kind
    known = " or ".join(kind.audio_mode for kind in kinds)
    raise BadMode(path, f"weights for {audio_mode} features", f"a {kinds[0].geometry.name} for {known}")
