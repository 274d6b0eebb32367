"""A video's pictures at 25 frames per second, whatever it was recorded at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.bounds import FRAMES
from export.errors import BadSource
from export.footage.video import read_timed_pictures
from speech.contract import FPS

__all__ = ["SteadyVideo"]

LONGEST_PAUSE_S = 5.0
"""Between two pictures; a damaged time stamp may claim years, which would be filled with one picture."""


class SteadyVideo:
    """A video to be walked, any number of times, at 25 frames per second.

    For each 25th of a second from the first picture on it gives the picture whose time stamp is nearest, so that a
    video at 25 fps comes out as it is. None is mixed of two: the network would learn double mouths.

    Attributes:
        path: The file.
        left_out: Pictures that the last walk passed over.
        repeated: Pictures that it gave once more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left_out = self.repeated = 0

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the pictures, HxWx3 uint8 BGR.

        Raises:
            BadSource: If the video cannot be decoded, stands still for more than 5 seconds, or is too long.
        """
        self.left_out = self.repeated = 0
        given = 0
        for picture, until_s in self._stretches():
            times = 0
            while given / FPS <= until_s:
                if given == FRAMES:
                    raise BadSource(
                        self.path, f"a clip of up to {FRAMES} pictures at {FPS:g} a second", "more"
                    )
                yield picture
                given, times = given + 1, times + 1
            self.left_out += times == 0
            self.repeated += max(0, times - 1)

    def _stretches(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """Yield each picture and until when it is the nearest one, in seconds after the first."""
        pictures = read_timed_pictures(self.path)
        start_s, picture = next(pictures)
        time_s, interval_s = start_s, 1 / FPS
        for next_s, next_picture in pictures:
            interval_s = next_s - time_s
            if interval_s > LONGEST_PAUSE_S:
                expected = f"pictures at most {LONGEST_PAUSE_S:g} s apart"
                raise BadSource(self.path, expected, f"{interval_s:.1f} s between two, at {time_s:.1f} s")
            yield picture, (time_s + next_s) / 2 - start_s
            time_s, picture = next_s, next_picture
        end_s = time_s + interval_s - start_s
        yield picture, end_s - 0.5 / FPS
