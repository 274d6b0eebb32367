"""What several servers amount to beside one of them: per server, together, the speed-up, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lipsync_client.summary import Summary

__all__ = ["Comparison"]

GOOD_SHARE = 0.7
"""A server that adds this share of what one alone does is worth its memory."""

SOME_GAIN = 1.3


@dataclass(frozen=True)
class Comparison:
    """One server alone, then all at the same time.

    Attributes:
        alone: The first server's run while the others were idle.
        together: Every server's run, while all were busy.
        elapsed_s: Wall time of the run of all, in seconds.
    """

    alone: Summary
    together: Sequence[Summary]
    elapsed_s: float

    @property
    def throughput_fps(self) -> float:
        """Frames received per second from all servers together."""
        frames = sum(len(summary.latencies_ms) for summary in self.together)
        return frames / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def speedup(self) -> float:
        """How many times the throughput of one server alone all have; 0 when that one answered nothing."""
        return self.throughput_fps / self.alone.throughput_fps if self.alone.throughput_fps else 0.0

    @property
    def failed(self) -> int:
        """Requests that failed."""
        return sum(summary.errors.total() for summary in (self.alone, *self.together))

    @property
    def recommendation(self) -> str:
        """What the figures say about how many servers to run."""
        servers = len(self.together)
        if self.failed:
            return f"Requests failed: {self.failed}; mend that first."
        if servers == 1:
            return "One server has nothing to be compared with: name several."
        if self.speedup >= GOOD_SHARE * servers:
            return f"Every server adds its share: use all {servers}, and try more."
        if self.speedup >= SOME_GAIN:
            return f"Use {max(2, round(self.speedup))} servers: more add little here."
        return "Use one server, with dynamic batching (strategy batching or hybrid): more share one device's time."

    def to_text(self) -> str:
        """Write the comparison for people."""
        lines = []
        for number, summary in enumerate(self.together, 1):
            lines += [
                f"Server {number} ({summary.url}):",
                f"   Requests: {len(summary.latencies_ms)}/{summary.total} successful",
            ]
            if latency := summary.latency_ms():
                lines.append(f"   Latency: {latency['avg']:.1f}ms avg, {latency['p95']:.1f}ms p95")
            lines.append(f"   Throughput: {summary.throughput_fps:.1f} FPS")
            lines += [f"   Error ({count}x): {text}" for (_, text), count in summary.errors.most_common()]
            lines.append("")
        return "\n".join([*lines, *self._aggregate()])

    def to_dict(self) -> dict[str, Any]:
        """Write the comparison for programs."""
        return {
            "servers": [summary.to_dict() for summary in self.together],
            "alone": self.alone.to_dict(),
            "elapsed_s": self.elapsed_s,
            "throughput_fps": self.throughput_fps,
            "speedup": self.speedup,
            "recommendation": self.recommendation,
        }

    def _aggregate(self) -> list[str]:
        return [
            "AGGREGATE RESULTS",
            f"Server 1 alone: {self.alone.throughput_fps:.1f} FPS",
            f"Total throughput: {self.throughput_fps:.1f} FPS",
            f"Speedup: {self.speedup:.1f}x",
            self.recommendation,
        ]
