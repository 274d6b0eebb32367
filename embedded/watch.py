"""Watch a Triton that is ready: have models whose Python processes died made anew, and say when nothing helps."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from dataclasses import dataclass

from embedded.command import Server
from embedded.model_control import ModelControl, Refused, Unanswered
from embedded.stubs import Stubs

__all__ = ["GivenUp", "watch"]

LOOK_INTERVAL_S = 0.05
LOOKS_PER_LIST = 10
"""How often to look at the processes we know for each time that we look for new ones."""
LIVE_INTERVAL_S = 2.0
SILENT_LIMIT_S = 15.0
"""How long a Triton may answer nothing, which a busy or a briefly stopped machine's may."""
AGAIN_AFTER_S, MAX_AGAIN_AFTER_S = 1.0, 60.0
CALM_S = 60.0

logger = logging.getLogger("embedded.server")


class GivenUp(Exception):
    """Raised when only a new Triton helps."""


@dataclass
class Trouble:
    """A model that lost a process.

    Attributes:
        next_s: The earliest time to have it made anew, of the monotonic clock.
        delay_s: How long to wait after that.
        unloaded: Whether it is out, as it can neither answer nor be made anew.
    """

    next_s: float = 0.0
    delay_s: float = AGAIN_AFTER_S
    unloaded: bool = False


async def watch(server: Server, shm_prefix: str, load_timeout_s: float) -> None:
    """Watch one Triton until cancelled.

    Raises:
        GivenUp: If it answers nothing any more, and had better be started anew.
    """
    control, stubs = ModelControl(server, load_timeout_s), Stubs(shm_prefix)
    try:
        await _Watch(server, control, stubs).run()
    except Unanswered as exc:
        raise GivenUp(f"did not answer when it was to load a model: {exc}") from exc
    finally:
        stubs.close()
        await control.close()


class _Watch:
    """What is known of one Triton's troubles."""

    def __init__(self, server: Server, control: ModelControl, stubs: Stubs) -> None:
        self.server, self.control, self.stubs = server, control, stubs
        self.troubles: dict[str, Trouble] = {}
        self.answered_s = time.monotonic()

    async def run(self) -> None:
        asked_s = time.monotonic()
        for number in itertools.count():
            for model, cause in self.stubs.look(for_new=number % LOOKS_PER_LIST == 0).items():
                await self._renew(model, cause)
            for model in [model for model, trouble in self.troubles.items() if trouble.unloaded]:
                await self._load_again(model)
            if time.monotonic() - asked_s > LIVE_INTERVAL_S:
                await self._check_live()
                asked_s = time.monotonic()
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def _renew(self, model: str, cause: str) -> None:
        """Have a model made anew; if Triton refuses and none of its processes is left, take it out."""
        trouble = self._due(model)
        if trouble is None:
            return
        started_s = time.monotonic()
        try:
            await self.control.replace(model)
        except Refused as exc:
            self._say(f"a process of '{model}' {cause}, and the model cannot be loaded again: {exc}")
            if not self.stubs.alive(model):
                await self._take_out(model, trouble)
        else:
            self.stubs.forget_dead(model)
            self.stubs.look()  # knows the new ones before they can die
            took_s = time.monotonic() - started_s
            self._say(f"a process of '{model}' {cause}; the model was loaded again in {took_s:.1f} s")

    async def _take_out(self, model: str, trouble: Trouble) -> None:
        """Unload a model that cannot answer: whoever asks learns so at once, and can ask another Triton."""
        try:
            await self.control.unload(model)
        except Refused as exc:
            self._say(f"'{model}' cannot be unloaded: {exc}")
        else:
            trouble.unloaded = True

    async def _load_again(self, model: str) -> None:
        trouble = self._due(model)
        if trouble is None:
            return
        try:
            await self.control.load(model)
        except Refused:
            return  # the reason was said
        trouble.unloaded = False
        self._say(f"'{model}' is loaded again")

    def _due(self, model: str) -> Trouble | None:
        """Return a model's trouble if it is time to act; each time soon after the last one waits for longer."""
        now = time.monotonic()
        trouble = self.troubles.setdefault(model, Trouble())
        if now < trouble.next_s:
            return None
        if now > trouble.next_s + CALM_S:
            trouble.delay_s = AGAIN_AFTER_S
        trouble.next_s = now + trouble.delay_s
        trouble.delay_s = min(2 * trouble.delay_s, MAX_AGAIN_AFTER_S)
        return trouble

    async def _check_live(self) -> None:
        if await self.control.is_live():
            self.answered_s = time.monotonic()
        elif time.monotonic() - self.answered_s > SILENT_LIMIT_S:
            raise GivenUp(f"has answered nothing for {SILENT_LIMIT_S:g} s")

    def _say(self, text: str) -> None:
        logger.error("Triton on port %d: %s", self.server.grpc_port, text)
