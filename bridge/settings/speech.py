"""Settings of live speech."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.settings.values import choice, integer, seconds, setting

__all__ = ["SpeechSettings"]

ADMISSIONS = ("measured", "off")


@dataclass(frozen=True, kw_only=True)
class SpeechSettings:
    """Settings of live sessions; each field's meaning stands beside it, units are in the names."""

    speech_sessions_max: int = setting(200, integer(0, 10_000), "live sessions at once; 0 refuses all")
    speech_sessions_per_client: int = setting(
        16, integer(1, 10_000), "live sessions at once of one client address, or one token"
    )
    speech_admission: str = setting(
        "measured",
        choice(ADMISSIONS),
        "measured: no more live sessions than Triton can paint for; off: up to `BRIDGE_SPEECH_SESSIONS_MAX`",
    )
    speech_lead_s: float = setting(
        2.0, seconds(0.1, 60), "how long before it is due a live picture may be made"
    )
    speech_held_s: float = setting(
        60.0, seconds(1, 3600), "how much sound of a live session may wait to be shown"
    )
    speech_timeout_s: float = setting(
        2.0, seconds(0.01, 600), "deadline of one call to Triton for a live session"
    )
    speech_idle_timeout_s: float = setting(
        300.0, seconds(0.01, 86400), "how long the client of a live session may send nothing"
    )
