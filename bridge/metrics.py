"""What Prometheus reads at ``/metrics``: counters of the bridge and the state of its backends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

__all__ = ["CONTENT_TYPE", "OK", "BackendState", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OK = "ok"
"""The outcome code of an answered frame; the others are those of ``errors.py``, and ``cancelled``."""

DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12)


class BackendState(Protocol):
    """What the metrics tell about a backend."""

    address: str
    ready: bool
    inflight: int
    total_requests: int
    error_count: int


class Metrics:
    """The metrics of one bridge, in a registry of its own.

    Attributes:
        connections: WebSocket connections that are open.
        requests_inflight: WebSocket requests read and not yet answered.
        sent_bytes: Bytes of WebSocket answers, without framing.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.connections = Gauge(
            "lipsync_bridge_connections", "WebSocket connections that are open", registry=self._registry
        )
        self.requests_inflight = Gauge(
            "lipsync_bridge_requests_inflight",
            "WebSocket requests read and not yet answered",
            registry=self._registry,
        )
        self.sent_bytes = Counter(
            "lipsync_bridge_sent_bytes",
            "Bytes of WebSocket answers, without framing",
            registry=self._registry,
        )
        self._frames = Counter(
            "lipsync_bridge_frames",
            "Frames asked for, by model and outcome: ok, an error's code, or cancelled",
            ["model", "code"],
            registry=self._registry,
        )
        self._duration = Histogram(
            "lipsync_bridge_frame_duration_seconds",
            "Time from a frame's request to its picture, of answered frames",
            buckets=DURATION_BUCKETS_S,
            registry=self._registry,
        )
        self._known_models: set[str] = set()

    def watch(self, backends: Sequence[BackendState]) -> None:
        """Report the state of ``backends``, as it is whenever the metrics are read."""
        self._registry.register(_BackendCollector(backends))

    def count_frame(self, model_name: str, code: str, duration_s: float) -> None:
        """Count one frame and its outcome.

        Only a model that answered before becomes a label, else any client could make up labels without end.
        """
        if code == OK:
            self._known_models.add(model_name)
            self._duration.observe(duration_s)
        label = model_name if model_name in self._known_models else ""
        self._frames.labels(label, code).inc()

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format, of CONTENT_TYPE."""
        return generate_latest(self._registry)


class _BackendCollector(Collector):
    """Reads the backends' own counts, so that nothing is counted twice."""

    def __init__(self, backends: Sequence[BackendState]) -> None:
        self._backends = backends

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("lipsync_bridge_backend_up", "1 while a Triton is ready", labels=["backend"])
        inflight = GaugeMetricFamily(
            "lipsync_bridge_backend_inflight", "Calls a Triton hasn't answered yet", labels=["backend"]
        )
        requests = CounterMetricFamily(
            "lipsync_bridge_backend_requests", "Calls given to a Triton", labels=["backend"]
        )
        errors = CounterMetricFamily(
            "lipsync_bridge_backend_errors", "Calls a Triton lost, left late or failed", labels=["backend"]
        )
        for backend in self._backends:
            up.add_metric([backend.address], float(backend.ready))
            inflight.add_metric([backend.address], backend.inflight)
            requests.add_metric([backend.address], backend.total_requests)
            errors.add_metric([backend.address], backend.error_count)
        return up, inflight, requests, errors
