"""The deployment strategies as one table: each row becomes a Triton config variant."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_STRATEGY", "STRATEGIES", "Strategy"]


@dataclass(frozen=True)
class Strategy:
    """How Triton runs one avatar's U-Net.

    Attributes:
        dynamic_batching: Whether Triton joins waiting requests into batches.
        many_instances: Whether several copies of the network run at once.
        response_cache: Whether the ensemble answers repeated frames from Triton's response cache.
        purpose: Who it is for.
    """

    dynamic_batching: bool
    many_instances: bool
    response_cache: bool
    purpose: str


STRATEGIES = {
    "latency": Strategy(False, False, False, "one user, lowest latency"),
    "batching": Strategy(True, False, False, "consumer GPUs"),
    "multi_instance": Strategy(False, True, False, "professional GPUs"),
    "hybrid": Strategy(True, True, False, "most frames per second"),
    "replay": Strategy(True, True, True, "frames asked for again and again"),
}

DEFAULT_STRATEGY = "latency"
"""What a model's plain ``config.pbtxt`` says."""
