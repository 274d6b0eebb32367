"""Keep the memory that one training step freed for the next one."""

from __future__ import annotations

import ctypes

__all__ = ["keep_freed_memory"]

# glibc's malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
LARGEST = 2**31 - 1
TOP_PAD_BYTES = 2**28


def keep_freed_memory() -> bool:
    """Tell glibc to give no memory back to the system, and return whether it will.

    A step frees and takes gigabytes. By default each large tensor is memory of its own from the kernel, which clears
    it page by page: two thirds of a step's time on two cores. Call before threads are started; where the C library is
    another, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    settings = (
        (M_ARENA_MAX, 1),
        (M_MMAP_MAX, 0),
        (M_TRIM_THRESHOLD, LARGEST),
        (M_TOP_PAD, TOP_PAD_BYTES),
    )
    return all(mallopt(ctypes.c_int(key), ctypes.c_int(value)) == 1 for key, value in settings)
