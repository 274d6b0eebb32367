"""Weights that are not numbers, which a training that diverged leaves behind: refused by name. No torch here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from export.errors import BadFile, BadModel

__all__ = ["check_finite", "check_finite_model"]


def check_finite(path: Path, entries: Iterable[tuple[str, NDArray[Any]]], error: type[BadFile]) -> None:
    """Check that weights hold finite numbers.

    Args:
        path: The file, for the message.
        entries: Names and values, in the file's order; those that are no floats are passed over.
        error: What is raised.

    Raises:
        BadFile: As ``error``, by name of the first entry that holds NaN or infinity.
    """
    for name, values in entries:
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            odd = int((~np.isfinite(values)).sum())
            raise error(path, "finite weights", f"{odd} of {values.size} NaN or infinite in {name}")


def check_finite_model(path: Path, model: ModelProto) -> None:
    """Check that an ONNX graph's weights hold finite numbers.

    Raises:
        BadModel: By name of the first tensor that holds NaN or infinity, or that is not whole.
    """
    check_finite(path, _arrays(path, model), BadModel)


def _arrays(path: Path, model: ModelProto) -> Iterator[tuple[str, NDArray[Any]]]:
    for tensor in model.graph.initializer:
        try:
            yield tensor.name, numpy_helper.to_array(tensor)
        except (TypeError, ValueError) as exc:
            got = f"{tensor.name[:80]} of another size than it says"
            raise BadModel(path, "whole weights", got) from exc
