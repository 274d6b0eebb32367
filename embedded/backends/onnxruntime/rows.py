"""A network on the CPU: the rows of a request run one at a time. No Triton here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rows"]

Feed = Mapping[str, NDArray[Any]]


class Rows:
    """Runs requests row by row: a CPU gains nothing by a batch, and a batch leaves its cache.

    Args:
        session: Open on the CPU, its batch fixed at 1 where the network names that axis.
        outputs: The outputs' names, in their order.
    """

    def __init__(self, session: Any, outputs: Sequence[str]) -> None:
        self._session, self._outputs = session, list(outputs)

    def run(self, requests: Sequence[Feed]) -> list[list[NDArray[Any]] | Exception]:
        """Return the outputs of each request, (B, ...) arrays, or what ONNX Runtime raised on its values."""
        return [self._try(request) for request in requests]

    def _try(self, request: Feed) -> list[NDArray[Any]] | Exception:
        try:
            return self._run(request)
        except Exception as exc:  # ONNX Runtime's errors share no base class of their own
            return exc

    def _run(self, request: Feed) -> list[NDArray[Any]]:
        count = len(next(iter(request.values())))
        rows = [{name: value[row : row + 1] for name, value in request.items()} for row in range(count)]
        results: list[list[NDArray[Any]]] = [self._session.run(self._outputs, row) for row in rows]
        return results[0] if count == 1 else [np.concatenate(column) for column in zip(*results, strict=True)]
