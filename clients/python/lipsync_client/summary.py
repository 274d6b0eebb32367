"""What a run of requests amounted to: counts, rates and percentiles, and the text that says so."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lipsync_client.errors import LipsyncError

__all__ = ["Summary", "percentile"]


@dataclass
class Summary:
    """Results of one run, collected as they arrive.

    Attributes:
        url: The server.
        model_name: The avatar.
        elapsed_s: Wall time of the run, in seconds.
        latencies_ms: Of each request that succeeded, in milliseconds.
        errors: How often each distinct error was met, by code and sentence.
    """

    url: str
    model_name: str
    elapsed_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Requests answered, well or badly."""
        return len(self.latencies_ms) + self.errors.total()

    @property
    def success_rate(self) -> float:
        """Share of the requests that succeeded, in percent; 0 when there were none."""
        return 100 * len(self.latencies_ms) / self.total if self.total else 0.0

    @property
    def throughput_fps(self) -> float:
        """Frames received per second of the run."""
        return len(self.latencies_ms) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def add_success(self, latency_ms: float) -> None:
        """Count a request that was answered with a frame."""
        self.latencies_ms.append(latency_ms)

    def add_error(self, error: LipsyncError) -> None:
        """Count a request that failed."""
        self.errors[error.code, str(error)] += 1

    def latency_ms(self) -> dict[str, float] | None:
        """Return average, extremes and percentiles in milliseconds, None when nothing succeeded."""
        if not self.latencies_ms:
            return None
        ordered = sorted(self.latencies_ms)
        percentiles = {f"p{rank}": percentile(ordered, rank) for rank in (50, 95, 99)}
        return {
            "avg": sum(ordered) / len(ordered),
            "min": ordered[0],
            "max": ordered[-1],
            **percentiles,
        }

    def to_text(self) -> str:
        """Write the summary for people, errors last."""
        lines = [
            f"Total: {self.total} requests in {self.elapsed_s:.2f}s",
            f"Success rate: {self.success_rate:.1f}%",
            f"Throughput: {self.throughput_fps:.1f} FPS",
        ]
        if latency := self.latency_ms():
            lines += [
                f"Avg latency: {latency['avg']:.1f}ms",
                f"Min: {latency['min']:.1f}ms, Max: {latency['max']:.1f}ms",
                f"p50: {latency['p50']:.1f}ms, p95: {latency['p95']:.1f}ms, p99: {latency['p99']:.1f}ms",
            ]
        lines += [f"Error ({count}x): {text}" for (_, text), count in self.errors.most_common()]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Write the summary for programs."""
        return {
            "url": self.url,
            "model_name": self.model_name,
            "total": self.total,
            "elapsed_s": self.elapsed_s,
            "success_rate": self.success_rate,
            "throughput_fps": self.throughput_fps,
            "latency_ms": self.latency_ms(),
            "errors": [
                {"code": code, "error": text, "count": count}
                for (code, text), count in self.errors.most_common()
            ],
        }


def percentile(ordered: Sequence[float], rank: int) -> float:
    """Return the nearest-rank percentile: the smallest value that ``rank`` percent don't exceed.

    Args:
        ordered: At least one value, ascending.
        rank: 1 to 100.
    """
    return ordered[math.ceil(rank * len(ordered) / 100) - 1]
