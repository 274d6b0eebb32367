"""One page of metrics for several workers: each tells its own to the others, and whoever is asked joins them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from bridge.workers.team import Team

__all__ = ["LABEL", "Siblings", "joined"]

LABEL = "worker"
"""The label that tells the workers' samples apart."""

ANSWER_TIMEOUT_S = 1.0
"""How long one of the others may take to tell its metrics; one that is just being started is left out."""


class Siblings:
    """Tells the others this worker's metrics, and asks them for theirs: ``await siblings.start()``.

    Args:
        team: The workers.
        render: Returns this worker's metrics in Prometheus' text format.
    """

    def __init__(self, team: Team, render: Callable[[], bytes]) -> None:
        self._team = team
        self._render = render
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen for the others, if there are any."""
        if self._team.has_others:
            path = self._team.socket(self._team.index)
            path.unlink(missing_ok=True)  # that of one that died
            self._server = await asyncio.start_unix_server(self._tell, path)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def exposition(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format, those of several with LABEL."""
        if not self._team.has_others:
            return self._render()
        others = [index for index in range(self._team.size) if index != self._team.index]
        answers = await asyncio.gather(*map(self._ask, others))
        told = {self._team.index: self._render(), **dict(zip(others, answers, strict=True))}
        return joined({index: text for index, text in sorted(told.items()) if text})

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(self._render())
            await writer.drain()
        writer.close()

    async def _ask(self, index: int) -> bytes:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            return await asyncio.wait_for(_read(self._team, index), ANSWER_TIMEOUT_S)
        return b""


def joined(expositions: Mapping[int, bytes]) -> bytes:
    """Return the samples of several workers as one text, each with its worker's number as LABEL."""
    families: dict[str, Metric] = {}
    for index, text in expositions.items():
        for found in text_string_to_metric_families(text.decode()):
            family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
            for sample in found.samples:
                family.add_sample(sample.name, {**sample.labels, LABEL: str(index)}, sample.value)
    registry = CollectorRegistry()
    registry.register(_Collected(families.values()))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


async def _read(team: Team, index: int) -> bytes:
    reader, writer = await asyncio.open_unix_connection(team.socket(index))
    try:
        return await reader.read()
    finally:
        writer.close()
