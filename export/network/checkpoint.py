"""Load a U-Net 328 from the checkpoints that training repositories write."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from export.errors import BadCheckpoint
from export.network.unet import UNet328
from speech.contract import AUDIO_SHAPES

__all__ = ["load_checkpoint"]

WIDTHS = {32: 1.0, 16: 0.5}
WRAPPER_KEYS = ("model_state_dict", "state_dict", "model")
AUDIO_KEY = "audio_model.conv1.conv.0.weight"
LISTED_KEYS = 4


def load_checkpoint(path: Path, audio_mode: str = "ave") -> UNet328:
    """Return the network in evaluation mode, with the weights of ``path``.

    Understood: a bare state dict, or one under ``model_state_dict``, ``state_dict`` or ``model``; keys with
    a ``module.`` prefix; ``inc.inconv.*`` and ``downN.maxpool_conv.*`` written without their ``.0``. The width
    is read from the weights. The modes ave and hubert have equal shapes, so ``audio_mode`` has to tell them apart.

    Raises:
        BadCheckpoint: If the file cannot be read, or keys or shapes are not the network's.
    """
    state = {_canonical(key): value for key, value in _read_state_dict(path).items()}
    network = UNet328(_check_audio_mode(path, state, audio_mode), _width(path, state))
    _check_entries(path, state, network.state_dict())
    network.load_state_dict(state, strict=False)  # only num_batches_tracked may be absent by now
    return network.eval()


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on the pickle protocol of damaged files
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as exc:
        raise BadCheckpoint(path, "a checkpoint file", "nothing there") from exc
    except (
        Exception
    ) as exc:  # damaged bytes raise whatever the unpickler trips over: KeyError, AssertionError, …
        got = _reason(exc) if path.stat().st_size else "an empty file"
        raise BadCheckpoint(path, "a whole PyTorch checkpoint of tensors only", got) from exc
    for key in WRAPPER_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not _is_state_dict(content):
        raise BadCheckpoint(path, "a state dict of tensors", _describe(content))
    return content  # type: ignore[no-any-return]


def _reason(exc: Exception) -> str:
    """Say in a few words why torch could not load a file."""
    if found := re.search(r"GLOBAL ([\w.]+)", str(exc)):  # what weights_only refused to import
        return f"one that calls Python code ({found[1]})"
    return f"bytes that torch cannot read ({type(exc).__name__})"


def _is_state_dict(content: Any) -> bool:
    return isinstance(content, dict) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    )


def _describe(content: Any) -> str:
    if isinstance(content, dict):
        return f"a dict with the keys {', '.join(map(str, list(content)[:LISTED_KEYS])) or '(none)'}"
    return f"a {type(content).__name__}"


def _canonical(key: str) -> str:
    key = key.removeprefix("module.")
    key = re.sub(r"^inc\.inconv\.(?=conv\.)", "inc.inconv.0.", key)
    return re.sub(r"^(down\d)\.maxpool_conv\.(?=double_conv\.)", r"\1.maxpool_conv.0.", key)


def _width(path: Path, state: dict[str, Tensor]) -> float:
    key = "inc.inconv.0.conv.6.weight"
    channels = state[key].shape[0] if key in state and state[key].ndim else None
    if channels not in WIDTHS:
        got = f"no {key}" if channels is None else f"{channels}"
        raise BadCheckpoint(path, "a U-Net 328 of 32 (width 1.0) or 16 (width 0.5) channels", got)
    return WIDTHS[channels]


def _check_audio_mode(path: Path, state: dict[str, Tensor], audio_mode: str) -> str:
    weight = state.get(AUDIO_KEY)
    expected = AUDIO_SHAPES[audio_mode][0]
    if weight is not None and weight.ndim == 4 and weight.shape[1] != expected:
        raise BadCheckpoint(
            path, f"{expected} audio channels (mode {audio_mode})", f"{weight.shape[1]} in {AUDIO_KEY}"
        )
    return audio_mode


def _check_entries(path: Path, state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    optional = {key for key in expected if key.endswith("num_batches_tracked")}
    complaints = []
    if missing := sorted(expected.keys() - state.keys() - optional):
        complaints.append(f"{len(missing)} missing ({_some(missing)})")
    if unknown := sorted(state.keys() - expected.keys()):
        complaints.append(f"{len(unknown)} unknown ({_some(unknown)})")
    wrong = [
        f"{key} is {list(state[key].shape)} instead of {list(expected[key].shape)}"
        for key in sorted(expected.keys() & state.keys())
        if state[key].shape != expected[key].shape
    ]
    if wrong:
        complaints.append(f"{len(wrong)} of another shape ({_some(wrong)})")
    if complaints:
        raise BadCheckpoint(path, f"the {len(expected)} entries of a U-Net 328", "; ".join(complaints))


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:LISTED_KEYS])
    return shown if len(names) <= LISTED_KEYS else f"{shown}, and {len(names) - LISTED_KEYS} more"
