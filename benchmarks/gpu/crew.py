"""Processes that make load: one of Python cannot ask for ten thousand frames a second."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from benchmarks.errors import LoadFailed

__all__ = ["Crew", "Job", "shares"]

Job = tuple[Callable[..., Coroutine[Any, Any, Any]], Mapping[str, Any]]
"""A coroutine function at the top of a module, and its arguments."""

READY_LIMIT_S = 30.0
END_LIMIT_S = 2.0


class Crew:
    """So many processes, each of which runs one job at a time.

    Args:
        size: How many.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._members: list[tuple[Any, Connection]] = []

    def __enter__(self) -> Crew:
        """Start them, and wait until each can begin at once.

        Raises:
            LoadFailed: If one does not start.
        """
        context = multiprocessing.get_context("spawn")  # gRPC does not outlive a fork
        for _ in range(self.size):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._members.append((process, ours))
        self.ask([(_nothing, {})] * self.size, READY_LIMIT_S)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for process, connection in self._members:
            connection.close()
            process.terminate()
        for process, _ in self._members:
            process.join(END_LIMIT_S)

    def ask(self, jobs: Sequence[Job], limit_s: float) -> list[Any]:
        """Run at most one job a process, all at the same time; return what each gives.

        Raises:
            LoadFailed: If one fails, its process dies, or it takes longer than ``limit_s``.
        """
        asked = self._members[: len(jobs)]
        assert len(asked) == len(jobs)
        end_s = time.monotonic() + limit_s
        for (_, connection), job in zip(asked, jobs, strict=True):
            connection.send(job)
        return [_answer(connection, end_s, limit_s) for _, connection in asked]


def shares(count: int, parts: int) -> list[int]:
    """Divide a count into parts that differ by one at most; parts of nothing are left out."""
    return [count // parts + (index < count % parts) for index in range(min(count, parts))]


def _answer(connection: Connection, end_s: float, limit_s: float) -> Any:
    try:
        if not connection.poll(max(0.0, end_s - time.monotonic())):
            raise LoadFailed("a process that makes load", f"no answer within {limit_s:g} s")
        failure, result = connection.recv()
    except (EOFError, ConnectionError) as exc:
        raise LoadFailed("a process that makes load", "its end") from exc
    if failure:
        raise LoadFailed("a process that makes load", failure)
    return result


def _work(connection: Connection) -> None:
    """Run jobs until the other end is closed."""
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        try:
            answer = ("", uvloop.run(function(**arguments)))
        except Exception as exc:  # it is told there, where it is one step's failure
            answer = (f"{type(exc).__name__}: {' '.join(str(exc).split())}", None)
        connection.send(answer)


async def _nothing() -> None:
    """Have a process say that it runs."""
