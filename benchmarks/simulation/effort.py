"""How much is simulated: all of it in minutes, or a quick form that shows that it runs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Effort"]


@dataclass(frozen=True)
class Effort:
    """What is simulated.

    Attributes:
        seconds: Of each load on a cell of CPUs, simulated.
        gpu_seconds: Of each load on a cell of GPUs, where a second has a hundred times the frames.
        cpu_cells: How many Tritons, of each cell that is simulated.
        gpu_cells: The same.
        overloaded: How many Tritons more is asked of than they compute, and how much more.
        calibrated_s: Real seconds of each measurement.
    """

    seconds: float
    gpu_seconds: float
    cpu_cells: tuple[int, ...]
    gpu_cells: tuple[int, ...]
    overloaded: tuple[tuple[int, int], ...]
    calibrated_s: float


FULL = Effort(4.0, 0.7, (1, 2, 5, 10, 20), (1,), ((2, 2), (2, 5), (2, 20), (10, 2)), 4.0)
QUICK = Effort(1.5, 0.5, (1, 2), (), ((2, 2),), 1.0)
