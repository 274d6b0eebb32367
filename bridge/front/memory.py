"""Have what large messages took given back to the system, not kept for the next ones.

glibc raises the size from which it asks the system for a block of its own with every such block that is freed, up to
32 MiB. After a flood of long messages their place is then full of holes, and the process stays as large as it was
at worst.
"""

from __future__ import annotations

import ctypes

__all__ = ["give_memory_back"]

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
OWN_BLOCK_BYTES = 64 << 10
TRIM_BYTES = 1 << 20
ARENAS = 2
"""gRPC's threads would otherwise have one each, in which memory stays that another could use."""


def give_memory_back() -> bool:
    """Tell the C library, and return whether it is one that can be told."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    settings = ((M_MMAP_THRESHOLD, OWN_BLOCK_BYTES), (M_TRIM_THRESHOLD, TRIM_BYTES), (M_ARENA_MAX, ARENAS))
    return all(mallopt(name, value) for name, value in settings)
