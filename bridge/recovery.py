"""What one Triton fails although it says that it is ready, and how that ends: asking again, and loading anew.

A model whose process has died stays dead for Triton, which goes on calling itself ready; so does one that hangs. What
an upstream fails while another one answers it goes to others from then on, until the very call it failed succeeds.
Where Triton names a dead process, its model is unloaded and loaded again, if the bridge holds Triton's secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bridge.errors import BridgeError, InternalError
from bridge.triton import TritonClient

__all__ = ["Recovery"]

EJECTED_AT = 3.0
"""Failures after which others are asked; ten answers make up for one failure."""

FORGIVEN = 0.1
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
RELAPSE_S = 60.0
"""Whoever fails again so soon after it had come back waits longer than the last time."""

CALLS_TO_RETURN = 3
"""Calls that must succeed in a row: of several instances of a model, one may have died."""

CALL_LIMIT_S = 2.0
DEAD_PROCESS = re.compile(r"Stub process '(.+)_\d+_\d+' is not healthy")
PATIENCE_S = 2.0
"""How long a dead process is left to whoever else looks after this Triton, before its model is loaded anew."""

RELOAD_LIMIT_S = 60.0
RELOAD_PAUSE_S = 30.0
LONG_AGO_S = 10.0
BROKEN_AT = 5
"""Calls failed in a row, whoever is to blame, after which an upstream does not count as healthy."""


Call = Callable[[TritonClient], Awaitable[Any]]

logger = logging.getLogger(__name__)


@dataclass
class _Failing:
    """Calls of one kind: how many failed of late, and while they go elsewhere, when the next trial is."""

    score: float = 0.0
    call: Call | None = None
    pause_s: float = 0.0
    due_s: float = 0.0
    returned_s: float = -math.inf

    @property
    def is_out(self) -> bool:
        return self.call is not None


@dataclass
class _Dead:
    """A model of which a process has died: when that was seen first and last, and when it was loaded anew."""

    first_s: float
    last_s: float
    reloaded_s: float = -math.inf


class Recovery:
    """What one upstream fails: ``run`` goes on until it is cancelled.

    Args:
        address: The upstream's.
        client: Returns its client.
        may_reload: Whether the bridge holds the secret that loading a model takes.
    """

    def __init__(self, address: str, client: Callable[[], TritonClient], may_reload: bool) -> None:
        self._address = address
        self._client = client
        self._may_reload = may_reload
        self._failing: dict[str, _Failing] = {}
        self._dead: dict[str, _Dead] = {}
        self._wanted = asyncio.Event()
        self._errors_in_a_row = 0
        self._last_error_s = -math.inf

    @property
    def is_broken(self) -> bool:
        """Whether it has failed its latest calls, all of them, and lately."""
        is_recent = time.monotonic() - self._last_error_s < LONG_AGO_S
        return is_recent and self._errors_in_a_row >= BROKEN_AT

    @property
    def failing(self) -> list[str]:
        """The models that others are asked for, and those with a process that was found dead of late, sorted."""
        now_s = time.monotonic()
        dead = {name for name, dead in self._dead.items() if now_s - dead.last_s < LONG_AGO_S}
        return sorted(dead | {kind for kind, failing in self._failing.items() if failing.is_out})

    def is_failing(self, kind: str) -> bool:
        """Tell whether calls of this kind are for others."""
        failing = self._failing.get(kind)
        return failing is not None and failing.is_out

    def note_answer(self, kind: str) -> None:
        """Note that a call of this kind was answered."""
        self._errors_in_a_row = 0
        failing = self._failing.get(kind)
        if failing is not None:
            failing.score = max(0.0, failing.score - FORGIVEN)

    def note_error(self, exc: InternalError) -> None:
        """Note a call that failed inside Triton, and whose process Triton says has died."""
        now_s = time.monotonic()
        self._errors_in_a_row += 1
        self._last_error_s = now_s
        match = DEAD_PROCESS.search(exc.detail)
        if match is None:
            return
        dead = self._dead.setdefault(match.group(1), _Dead(now_s, now_s))
        if now_s - dead.last_s > LONG_AGO_S:
            dead.first_s = now_s
        dead.last_s = now_s
        self._wanted.set()

    def blame(self, kind: str, call: Call) -> None:
        """Note a call that this upstream failed, or never answered, and another one answered."""
        failing = self._failing.setdefault(kind, _Failing())
        failing.score += 1
        if failing.score < EJECTED_AT or failing.is_out:
            return
        now_s = time.monotonic()
        relapsed = now_s - failing.returned_s < RELAPSE_S
        failing.pause_s = min(LONGEST_PAUSE_S, failing.pause_s * 2) if relapsed else FIRST_PAUSE_S
        failing.call, failing.due_s = call, now_s + failing.pause_s
        logger.warning(
            "Triton at %s fails '%s', which others answer: they are asked now", self._address, kind
        )
        self._wanted.set()

    async def run(self) -> None:
        """Try what fails again, and load anew what died, whenever it is time."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            for name, dead in tuple(self._dead.items()):
                await self._reload(name, dead)
            for kind, failing in tuple(self._failing.items()):
                if failing.is_out and failing.due_s <= time.monotonic():
                    await self._try_again(kind, failing)
            self._come_back_later()

    def _come_back_later(self) -> None:
        due = [failing.due_s for failing in self._failing.values() if failing.is_out]
        if due:
            wait_s = max(0.0, min(due) - time.monotonic())
            asyncio.get_running_loop().call_later(wait_s, self._wanted.set)

    async def _try_again(self, kind: str, failing: _Failing) -> None:
        if await self._succeeds(failing.call):
            failing.call, failing.score, failing.returned_s = None, 0.0, time.monotonic()
            logger.info("Triton at %s answers '%s' again", self._address, kind)
            return
        failing.pause_s = min(LONGEST_PAUSE_S, failing.pause_s * 2)
        failing.due_s = time.monotonic() + failing.pause_s

    async def _succeeds(self, call: Call | None) -> bool:
        assert call is not None
        for _ in range(CALLS_TO_RETURN):
            trial = asyncio.ensure_future(call(self._client()))
            try:
                await asyncio.wait({trial}, timeout=CALL_LIMIT_S)
            finally:
                trial.cancel()  # does nothing to one that is done
            await asyncio.wait({trial})  # not the trial itself: its cancellation is not ours
            exc = None if trial.cancelled() else trial.exception()
            if isinstance(exc, InternalError):
                self.note_error(exc)
            if trial.cancelled() or exc is not None:
                return False
        return True

    async def _reload(self, name: str, dead: _Dead) -> None:
        now_s = time.monotonic()
        if (
            not self._may_reload
            or dead.last_s - dead.first_s < PATIENCE_S
            or now_s - dead.reloaded_s < RELOAD_PAUSE_S
        ):
            return
        dead.reloaded_s = now_s
        logger.warning("Triton at %s: a process of '%s' has died, it is loaded anew", self._address, name)
        with contextlib.suppress(BridgeError):
            await self._client().unload_model(name, RELOAD_LIMIT_S)
        try:
            await self._client().load_model(name, RELOAD_LIMIT_S)
        except BridgeError as exc:
            logger.error("Triton at %s cannot load '%s' again: %s", self._address, name, exc)
            return
        dead.last_s = -math.inf
        for failing in self._failing.values():
            failing.due_s = time.monotonic()
