"""Read what PyTorch saved, and nothing of it is run, nor unpacked past a bound."""

from __future__ import annotations

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from export.bounds import CHECKPOINT_BYTES, open_plain
from export.errors import BadCheckpoint

__all__ = ["check_plain", "read_torch_file"]

WHOLE = "a whole PyTorch checkpoint of tensors only"


def read_torch_file(path: Path, expected: str = "a checkpoint file") -> Any:
    """Return the content of a file that ``torch.save`` wrote: tensors, numbers, texts, and dicts and lists of them.

    Args:
        path: The file.
        expected: What it should be, for the message if nothing is there.

    Raises:
        BadCheckpoint: If it is missing, damaged or too large, packed or unpacked, or calls Python code.
        OSError: If it cannot be read.
    """
    with open_plain(path, expected, CHECKPOINT_BYTES, BadCheckpoint) as file:
        _check_unpacked(path, file)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch remarks on the pickle protocol of damaged files
                return torch.load(file, map_location="cpu", weights_only=True)
        except (
            Exception
        ) as exc:  # damaged bytes raise whatever the unpickler trips over: KeyError, AssertionError, …
            got = _reason(exc) if file.seek(0, 2) else "an empty file"
            raise BadCheckpoint(path, WHOLE, got) from exc


def check_plain(path: Path, state: dict[str, Tensor]) -> None:
    """Check that tensors are plain numbers, each stored once: others, of any size, fit into a few bytes.

    Raises:
        BadCheckpoint: By name of the first that is not.
    """
    for key, value in state.items():
        plain = value.layout is torch.strided and value.device.type == "cpu" and not value.is_quantized
        if (
            not plain
            or value.is_complex()
            or value.numel() * value.element_size() > value.untyped_storage().nbytes()
        ):
            raise BadCheckpoint(path, "plain tensors, each number stored once", f"another in {key[:80]}")


def _check_unpacked(path: Path, file: BinaryIO) -> None:
    """Check how much a file, which may be a zip archive, is once it is unpacked."""
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except Exception:  # none, or a damaged one, which loading it will say better
        unpacked = 0
    file.seek(0)
    if unpacked > CHECKPOINT_BYTES:
        expected = f"a checkpoint of up to {CHECKPOINT_BYTES >> 20} MiB, unpacked"
        raise BadCheckpoint(path, expected, f"{unpacked >> 20} MiB")


def _reason(exc: Exception) -> str:
    """Say in a few words why torch could not load a file."""
    if found := re.search(r"GLOBAL ([\w.]+)", str(exc)):  # what weights_only refused to import
        return f"one that calls Python code ({found[1]})"
    return f"bytes that torch cannot read ({type(exc).__name__})"
