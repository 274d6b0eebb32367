"""Load a U-Net 328 from the checkpoints that training repositories write."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from export.contract import AUDIO_SHAPES
from export.errors import BadCheckpoint
from export.unet import UNet328

__all__ = ["find_checkpoint", "load_checkpoint"]

WIDTHS = {32: 1.0, 16: 0.5}
WRAPPER_KEYS = ("model_state_dict", "state_dict", "model")
PACKAGE_NAMES = ("best_trainloss.pth", "model_best.pth", "model_best.onnx")
AUDIO_KEY = "audio_model.conv1.conv.0.weight"
LISTED_KEYS = 4


def find_checkpoint(path: Path) -> Path:
    """Return the weights file that ``path`` means.

    A folder means, in this order: a package's ``best_trainloss.pth``, ``model_best.pth`` or ``model_best.onnx``,
    else the ``<epoch>.pth`` with the highest epoch.

    Raises:
        BadCheckpoint: If there is no such file.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise BadCheckpoint(path, "a checkpoint file or folder", "nothing there")
    for name in PACKAGE_NAMES:
        if (path / name).is_file():
            return path / name
    epochs = [file for file in path.glob("*.pth") if file.stem.isdigit()]
    if not epochs:
        raise BadCheckpoint(path, f"<epoch>.pth or one of {', '.join(PACKAGE_NAMES)} in it", "none of them")
    return max(epochs, key=lambda file: int(file.stem))


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
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as exc:
        raise BadCheckpoint(path, "a checkpoint file", "nothing there") from exc
    except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError, OSError) as exc:
        reason = str(exc).splitlines()[0].split(". ")[0] if str(exc) else type(exc).__name__
        raise BadCheckpoint(path, "a whole PyTorch checkpoint of tensors only", reason) from exc
    for key in WRAPPER_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise BadCheckpoint(path, "a state dict of tensors", _describe(content))
    return content


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
