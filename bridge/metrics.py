"""What Prometheus reads at ``/metrics``: counters of the bridge and the state of its upstreams."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bridge.live.metrics import LiveMetrics

__all__ = ["CANCELLED", "CONTENT_TYPE", "MAX_MODELS", "OK", "FrameTimes", "Metrics", "Watched"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OK = "ok"
"""The outcome code of an answered frame; the others are those of ``errors.py``, and CANCELLED."""

CANCELLED = "cancelled"
MAX_MODELS = 256
"""How many models are told apart."""

DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12)


class Limited(Protocol):
    """What the metrics tell about an upstream's limit."""

    @property
    def calls(self) -> int:
        """How many calls it may have at once."""


class UpstreamState(Protocol):
    """What the metrics tell about an upstream."""

    address: str
    ready: bool
    inflight: int
    total_requests: int
    error_count: int

    @property
    def limit(self) -> Limited:
        """What knows how many calls it may have at once."""

    @property
    def failing_models(self) -> Sequence[str]:
        """The models that it fails."""


class Watched(Protocol):
    """What has the upstreams, and follows their names in DNS."""

    @property
    def upstreams(self) -> Sequence[UpstreamState]:
        """Its upstreams now."""

    @property
    def waiting_count(self) -> int:
        """How many inferences wait for their turn now."""

    @property
    def unresolved_count(self) -> int:
        """How many names had a failed lookup last."""


@dataclass
class FrameTimes:
    """The answered frames of one model, and how long they took."""

    count: int = 0
    total_s: float = 0.0
    min_s: float = math.inf
    max_s: float = 0.0

    def add(self, duration_s: float) -> None:
        """Count one frame."""
        self.count += 1
        self.total_s += duration_s
        self.min_s = min(self.min_s, duration_s)
        self.max_s = max(self.max_s, duration_s)


class Metrics:
    """The metrics of one bridge, in a registry of its own.

    Attributes:
        connections: WebSocket connections that are open.
        requests_inflight: WebSocket requests read and not yet answered.
        sent_bytes: Bytes of WebSocket answers, without framing.
        rpcs: Answers of the gRPC service, by method and outcome.
        live: What live sessions count.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.live = LiveMetrics(self._registry)
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
        self.rpcs = Counter(
            "lipsync_bridge_rpcs",
            "Answers of the gRPC service, by method and outcome: ok, an error's code, or cancelled",
            ["method", "code"],
            registry=self._registry,
        )
        self._times: dict[str, FrameTimes] = {}

    def watch(self, balancer: Watched) -> None:
        """Report the state of the upstreams, as it is whenever the metrics are read."""
        self._registry.register(_UpstreamCollector(balancer))

    def frame_times(self, model_name: str) -> FrameTimes:
        """Return what was counted of a model's answered frames."""
        return self._times.get(model_name, FrameTimes())

    def count_frame(self, model_name: str, code: str, duration_s: float) -> None:
        """Count one frame and its outcome.

        Only a model that answered before becomes a label, else any client could make up labels without end; and only so
        many of them, for models are loaded and unloaded.
        """
        if code == OK:
            if model_name in self._times or len(self._times) < MAX_MODELS:
                self._times.setdefault(model_name, FrameTimes()).add(duration_s)
            self._duration.observe(duration_s)
        label = model_name if model_name in self._times else ""
        self._frames.labels(label, code).inc()

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format, of CONTENT_TYPE."""
        return generate_latest(self._registry)


class _UpstreamCollector(Collector):
    """Reads the upstreams' own counts, so that nothing is counted twice."""

    def __init__(self, balancer: Watched) -> None:
        self._balancer = balancer

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("lipsync_bridge_upstream_up", "1 while a Triton is ready", labels=["upstream"])
        inflight = GaugeMetricFamily(
            "lipsync_bridge_upstream_inflight", "Calls a Triton has not answered yet", labels=["upstream"]
        )
        requests = CounterMetricFamily(
            "lipsync_bridge_upstream_requests", "Calls given to a Triton", labels=["upstream"]
        )
        errors = CounterMetricFamily(
            "lipsync_bridge_upstream_errors", "Calls a Triton lost, left late or failed", labels=["upstream"]
        )
        limit = GaugeMetricFamily(
            "lipsync_bridge_upstream_limit", "Calls a Triton may have at once", labels=["upstream"]
        )
        waiting = GaugeMetricFamily(
            "lipsync_bridge_waiting",
            "Frames that wait for their turn: every Triton has as many as it may",
            value=self._balancer.waiting_count,
        )
        failing = GaugeMetricFamily(
            "lipsync_bridge_upstream_failing_models",
            "Models that a Triton fails although it is ready",
            labels=["upstream"],
        )
        for upstream in self._balancer.upstreams:
            limit.add_metric([upstream.address], upstream.limit.calls)
            failing.add_metric([upstream.address], len(upstream.failing_models))
            up.add_metric([upstream.address], float(upstream.ready))
            inflight.add_metric([upstream.address], upstream.inflight)
            requests.add_metric([upstream.address], upstream.total_requests)
            errors.add_metric([upstream.address], upstream.error_count)
        unresolved = GaugeMetricFamily(
            "lipsync_bridge_dns_names_unresolved",
            "dns:/// names whose last lookup failed",
            value=self._balancer.unresolved_count,
        )
        return up, inflight, limit, requests, errors, failing, waiting, unresolved
