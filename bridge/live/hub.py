"""All live sessions of a bridge: who is admitted, what they share, and how they end."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from bridge.access.client import Client
from bridge.balancer import Balancer
from bridge.config import BridgeConfig
from bridge.front.errors import BridgeFull
from bridge.front.limits import Limit, Most
from bridge.live.errors import CannotHear, NoRoom
from bridge.live.metrics import LiveMetrics
from bridge.live.models import LiveModels
from bridge.live.silence import SilentClip, SilentClips
from bridge.live.wire import Start
from bridge.service import Metadata, Service
from bridge.workers.team import Team
from speech.contract import FPS

__all__ = ["Hub", "Seat"]

USABLE_SHARE = 0.9
"""How much of the pictures that Triton can paint is promised to sessions."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seat:
    """What an admitted session has: its avatar, and the share of Triton's pictures that it may need."""

    metadata: Metadata
    clip: SilentClip
    alone: bool


class Hub:
    """Admits sessions: ``async with hub.seat(start, client) as seat``.

    Attributes:
        models: What sessions ask Triton for.
        silent_clips: What they share.
        metrics: What they count.
    """

    def __init__(
        self,
        config: BridgeConfig,
        balancer: Balancer,
        service: Service,
        metrics: LiveMetrics,
        team: Team | None = None,
    ) -> None:
        self._team = team or Team()
        self.models = LiveModels(balancer, config.speech_timeout_s)
        self.silent_clips = SilentClips(self.models, self._team)
        self.metrics = metrics
        self._config = config
        self._service = service
        self._limit = Limit(
            Most("live sessions", config.speech_sessions_per_client, config.speech_sessions_max)
        )
        self._shares: list[float] = []

    @contextlib.asynccontextmanager
    async def seat(self, start: Start, client: Client) -> AsyncIterator[Seat]:
        """Admit a session for as long as the block lasts.

        Raises:
            NoRoom: If there are too many sessions, of this address or token or in all, or Triton paints for no more.
            CannotHear: If the avatar has no audio encoder.
            BridgeError: If Triton has no such avatar, or does not answer.
        """
        with self._counted(client):
            metadata = await self._service.metadata(start.avatar)
            if not await self.models.can_hear(start.avatar):
                raise CannotHear(start.avatar)
            clip = await self.silent_clips.open(
                start.avatar, metadata.frame_count, not self._team.session_count
            )
            with self._share_of(clip) as alone:
                yield Seat(metadata, clip, alone)

    async def close(self) -> None:
        """Stop what goes on behind the sessions."""
        await self.silent_clips.close()

    @contextlib.contextmanager
    def _counted(self, client: Client) -> Iterator[None]:
        if self._team.session_count >= self._config.speech_sessions_max:
            raise self._refused(NoRoom("of this bridge", self._config.speech_sessions_max))
        if not self._limit.try_take(client):
            of_all = isinstance(self._limit.refusal(client), BridgeFull)
            most = self._config.speech_sessions_max if of_all else self._config.speech_sessions_per_client
            raise self._refused(NoRoom("of this bridge" if of_all else "of one client", most))
        try:
            yield
        finally:
            self._limit.give_back(client)

    @contextlib.contextmanager
    def _share_of(self, clip: SilentClip) -> Iterator[bool]:
        """Take a share of Triton's pictures; the first session is admitted on any machine, however slow."""
        share = FPS / clip.pictures_per_s if clip.pictures_per_s else 0.0
        alone = not self._team.session_count
        if (
            not alone
            and self._config.speech_admission == "measured"
            and self._team.promised_share + share > USABLE_SHARE
        ):
            raise self._refused(NoRoom("that Triton paints for", self._team.session_count))
        self._shares.append(share)
        self._team.note(len(self._shares), sum(self._shares))
        self.metrics.sessions.inc()
        try:
            yield alone
        finally:
            self._shares.remove(share)
            self._team.note(len(self._shares), sum(self._shares))
            self.metrics.sessions.dec()

    def _refused(self, error: NoRoom) -> NoRoom:
        self.metrics.refused.inc()
        return error
