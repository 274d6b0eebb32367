"""What Prometheus reads about live sessions."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bridge.live.requests import Counts

__all__ = ["LiveMetrics"]

FIRST_PICTURE_BUCKETS_S = (0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)
LATE_BUCKETS_S = (-2.0, -1.0, -0.5, -0.2, -0.08, -0.04, 0.0, 0.04, 0.08, 0.12, 0.2, 0.5, 1.0)
NOTHING = Counts()


class LiveMetrics:
    """The metrics of all live sessions.

    Attributes:
        sessions: Sessions that are open.
        refused: Sessions that were refused for want of room.
        closed: Sessions that ended, by the code of the error they ended with, or ``ok``.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sessions = Gauge(
            "lipsync_bridge_speech_sessions", "Live sessions that are open", registry=registry
        )
        self.refused = Counter(
            "lipsync_bridge_speech_refused", "Live sessions refused for want of room", registry=registry
        )
        self.closed = Counter(
            "lipsync_bridge_speech_closed",
            "Live sessions that ended, by outcome: ok, or an error's code",
            ["code"],
            registry=registry,
        )
        pictures = Counter(
            "lipsync_bridge_speech_pictures",
            "Pictures of live sessions, by kind: speech, silent (from memory), late (more than 0.04 s), skipped",
            ["kind"],
            registry=registry,
        )
        self._starved = Counter(
            "lipsync_bridge_speech_starved", "How often sound was missing in mid-utterance", registry=registry
        )
        self._interrupts = Counter(
            "lipsync_bridge_speech_interrupts", "Interruptions by clients", registry=registry
        )
        self._first_picture = Histogram(
            "lipsync_bridge_speech_first_picture_seconds",
            "Of each utterance, from the last sample that its first picture needs to that picture",
            buckets=FIRST_PICTURE_BUCKETS_S,
            registry=registry,
        )
        self._late = Histogram(
            "lipsync_bridge_speech_lateness_seconds",
            "Of each speaking picture, from when it was due to when it was made; below 0 is its lead",
            buckets=LATE_BUCKETS_S,
            registry=registry,
        )
        self._kinds = {kind: pictures.labels(kind) for kind in ("speech", "silent", "late", "skipped")}

    def take(self, counts: Counts, paced: bool) -> Counts:
        """Add what a session counted, and return counts to go on with."""
        if counts == NOTHING:  # mostly: it is asked whenever a session wakes
            return counts
        late_s = counts.late_s if paced else []
        kinds = {
            "speech": counts.pictures,
            "silent": counts.silent,
            "skipped": counts.skipped,
            "late": sum(value > 0.04 for value in late_s),
        }
        for kind, count in kinds.items():
            self._kinds[kind].inc(count)
        self._starved.inc(counts.starved)
        self._interrupts.inc(counts.interrupts)
        for value in counts.first_picture_s:
            self._first_picture.observe(value)
        for value in late_s:
            self._late.observe(value)
        return Counts()
