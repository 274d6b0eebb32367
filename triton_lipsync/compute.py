"""What each network computes on, as the models of a Triton report it in its metrics."""

from __future__ import annotations

from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["describe_compute"]

METRIC = "lipsync_compute"
SHOWN = 4
"""How many models a line names."""


def describe_compute(metrics: str) -> list[str]:
    """Return a line for each device that computes: the models, its name, and why it is none that was asked for.

    Triton's native backends, in its container, report nothing: then there is no line.

    Args:
        metrics: What Triton answers at ``/metrics``.
    """
    places: dict[tuple[str, str], set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name == METRIC and sample.value > 0:
                labels = sample.labels
                on = "the CPU" if labels["device"] == "CPU" else f"{labels['device']} ({labels['provider']})"
                places[on, labels["reason"]].add(labels["model"])
    return [
        f"{_list(sorted(models))} on {on}{f': {reason}' if reason else ''}"
        for (on, reason), models in sorted(places.items())
    ]


def _list(models: list[str]) -> str:
    more = len(models) - SHOWN
    return ", ".join(models[:SHOWN]) + (f" and {more} more" if more > 0 else "")
