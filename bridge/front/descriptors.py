"""How many connections the system's limit of file descriptors allows, with some kept for everything else."""

from __future__ import annotations

import logging
import resource

__all__ = ["connections_within", "for_grpc", "raise_limit"]

KEPT = 256
"""Descriptors for Triton, gRPC's clients, files, and connections whose request is not known yet."""

GRPC_SHARE = 4
"""gRPC may have this part of as many connections beside them."""

ENOUGH = 1 << 16

logger = logging.getLogger(__name__)


def raise_limit() -> None:
    """Raise the process's own limit as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def connections_within(wanted: int) -> int:
    """Return how many connections to take, at most ``wanted``: a fifth of the rest is gRPC's own, see ``for_grpc``.

    Of a low limit a quarter is kept for everything else, of a high one KEPT.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    most = max(1, (soft - min(KEPT, soft // 4)) * 4 // 5)
    if most < wanted:
        logger.warning("%d connections at most, for the system allows %d file descriptors", most, soft)
    return min(most, wanted)


def for_grpc(most: int) -> int:
    """Return how many connections gRPC may have beside ``most`` others."""
    return max(1, most // GRPC_SHARE)
