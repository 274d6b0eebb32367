"""Load a U-Net of this family from the checkpoints that training repositories write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from export.contract import UNET_160, UNET_328, Geometry
from export.errors import BadCheckpoint
from export.network.finite import check_finite
from export.network.kinds import Kind, choose_kind
from export.network.torch_file import check_plain, read_torch_file
from export.network.unet import UNet
from speech.contract import VECTOR_SHAPES, window_shape

__all__ = ["as_arrays", "kinds_of_checkpoint", "load_checkpoint"]

WIDTHS = {32: 1.0, 16: 0.5}
WRAPPER_KEYS = ("model_state_dict", "state_dict", "model")
AUDIO_KEY = "audio_model.conv1.conv.0.weight"
ENTRANCE_KEY = "inc.inconv.0.conv.6.weight"
DEEPEST_LEVEL = re.compile(r"(down|up)5\.")
LISTED_KEYS = 4
WINDOWS = {UNET_328: (16,), UNET_160: (8, 16)}
"""Windows of speech that networks of a geometry were published with; the U-Net 160 heard 16 vectors at first."""


def kinds_of_checkpoint(path: Path) -> tuple[Kind, ...]:
    """Return which networks the weights of a file can be: one, or one for each audio mode of equal shapes.

    Raises:
        BadCheckpoint: If the file cannot be read, or its shapes are no network's of the family.
    """
    return _kinds(path, _read_canonical(path))


def load_checkpoint(path: Path, audio_mode: str | None = None) -> UNet:
    """Return the network in evaluation mode, with the weights of ``path``.

    Understood: a bare state dict, or one under ``model_state_dict``, ``state_dict`` or ``model``; keys with
    a ``module.`` prefix; ``inc.inconv.*`` and ``downN.maxpool_conv.*`` written without their ``.0``. Size, width and
    window are read from the weights, and the audio mode where shapes tell: those of ave and hubert are equal in a
    U-Net 328, which is taken for ave where no mode is named.

    Raises:
        BadCheckpoint: If the file cannot be read, keys or shapes are not the network's, or a weight is not finite.
        BadMode: If the weights are for other features than those of ``audio_mode``.
    """
    state = _read_canonical(path)
    kind = choose_kind(path, _kinds(path, state), audio_mode)
    network = UNet(kind.audio_mode, _width(path, state), kind.geometry, kind.window)
    _check_entries(path, state, network.state_dict(), kind.geometry)
    check_finite(path, as_arrays(state), BadCheckpoint)
    network.load_state_dict(state, strict=False)  # only num_batches_tracked may be absent by now
    return network.eval()


def as_arrays(state: dict[str, Tensor]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the floats of a state dict as arrays, by name."""
    for name, value in state.items():
        if value.is_floating_point():
            yield name, value.detach().float().numpy()


def _read_canonical(path: Path) -> dict[str, Tensor]:
    return {_canonical(key): value for key, value in _read_state_dict(path).items()}


def _kinds(path: Path, state: dict[str, Tensor]) -> tuple[Kind, ...]:
    _width(path, state)
    geometry = UNET_328 if any(map(DEEPEST_LEVEL.match, state)) else UNET_160
    weight = state.get(AUDIO_KEY)
    if weight is None or weight.ndim != 4:
        return tuple(
            Kind(geometry, mode, WINDOWS[geometry][0]) for mode in VECTOR_SHAPES
        )  # refused by its entries
    kinds = tuple(
        Kind(geometry, mode, window)
        for window in WINDOWS[geometry]
        for mode in VECTOR_SHAPES
        if window_shape(mode, window)[0] == weight.shape[1] and (geometry, mode) != (UNET_160, "ave")
    )
    if not kinds:
        expected = f"a {geometry.name} of 32 (ave, hubert) or 256 (wenet) audio channels"
        if geometry is UNET_160:
            expected = f"a {geometry.name} of 16 or 32 (hubert), 128 or 256 (wenet) audio channels"
        raise BadCheckpoint(path, expected, f"{weight.shape[1]} in {AUDIO_KEY}")
    return kinds


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    content = read_torch_file(path)
    for key in WRAPPER_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not _is_state_dict(content):
        raise BadCheckpoint(path, "a state dict of tensors", _describe(content))
    check_plain(path, content)
    return content  # type: ignore[no-any-return]


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
    entrance = state.get(ENTRANCE_KEY)
    channels = entrance.shape[0] if entrance is not None and entrance.ndim else None
    if channels not in WIDTHS:
        got = f"no {ENTRANCE_KEY}" if channels is None else f"{channels}"
        raise BadCheckpoint(path, "a U-Net 328 or 160 of 32 (width 1.0) or 16 (width 0.5) channels", got)
    return WIDTHS[channels]


def _check_entries(
    path: Path, state: dict[str, Tensor], expected: dict[str, Tensor], geometry: Geometry
) -> None:
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
        raise BadCheckpoint(path, f"the {len(expected)} entries of a {geometry.name}", "; ".join(complaints))


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:LISTED_KEYS])
    return shown if len(names) <= LISTED_KEYS else f"{shown}, and {len(names) - LISTED_KEYS} more"
