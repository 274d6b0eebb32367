"""Triton's response cache: the pictures that were asked for last, as many as fit."""

from __future__ import annotations

from collections import OrderedDict
from random import Random

__all__ = ["ResponseCache", "hit_share"]

LOOPS = 2
"""Viewers watch their clip so often, after every Triton was asked for all of it once; the last time is counted."""

SEED = 7


class ResponseCache:
    """What one Triton remembers, the least recently used going first.

    Args:
        size_bytes: Of all pictures; 0: none is kept.
        picture_bytes: Of one.
    """

    def __init__(self, size_bytes: float, picture_bytes: float) -> None:
        self._most = int(size_bytes / picture_bytes)
        self._kept: OrderedDict[tuple[str, int], None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def has(self, avatar: str, frame_id: int) -> bool:
        """Tell whether a picture is there, and note that it was asked for."""
        key = avatar, frame_id
        if key not in self._kept:
            return False
        self._kept.move_to_end(key)
        return True

    def keep(self, avatar: str, frame_id: int) -> None:
        """Keep a picture."""
        if not self._most:
            return
        self._kept[avatar, frame_id] = None
        self._kept.move_to_end((avatar, frame_id))
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)


def hit_share(caches: list[ResponseCache], avatars: int, frames: int) -> float:
    """Return the share of frames that are remembered where each of some avatars has a viewer, who loops its clip.

    Each frame is asked of any of the Tritons. Viewers go at the same pace, each from a place of its own in the clip.
    """
    random, hits = Random(SEED), 0
    starts = [random.randrange(frames) for _ in range(avatars)]
    for cache in caches:
        for turn in range(frames):
            for avatar, start in enumerate(starts):
                cache.keep(str(avatar), (start + turn) % frames)
    for turn in range(LOOPS * frames):
        for avatar, start in enumerate(starts):
            cache, frame_id = random.choice(caches), (start + turn) % frames
            hits += cache.has(str(avatar), frame_id) and turn >= (LOOPS - 1) * frames
            cache.keep(str(avatar), frame_id)
    return hits / (avatars * frames)
