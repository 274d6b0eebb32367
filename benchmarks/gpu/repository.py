"""The avatar, and the model repositories that Triton serves it from: one for each backend of the network."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.gpu.engines import plan_file
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.networks import network_file
from benchmarks.gpu.settings import Settings
from benchmarks.site import prepare_site
from export.files import link_or_copy, replacing_file
from export.network.engine import load_tensorrt
from export.repository.avatar import read_avatar
from export.repository.configs import BACKENDS, PLAN_FILES, ServingOptions, unet_configs
from export.repository.entries import write_entries

__all__ = ["ONNXRUNTIME", "TENSORRT", "measure", "write_repository"]

ONNXRUNTIME, TENSORRT = BACKENDS
CARD = (0,)


def measure(settings: Settings, findings: Findings) -> None:
    """Make the avatar, which all that goes through Triton needs, and tell how long it took."""
    start_s = time.monotonic()
    prepare_site(settings.folder, (settings.avatar,))
    findings.note(
        "served", f"The avatar '{settings.avatar}' was there after {time.monotonic() - start_s:.1f} s."
    )


def write_repository(settings: Settings, findings: Findings, backend: str, instances: int = 2) -> Path:
    """Return a model repository whose network runs on a backend, in float16 where that is on a card.

    Speech stays on ONNX Runtime, in float32: its logarithm spans more than float16 does. The engine for batches is also
    the one for single frames: a second one would take as long to build as all else together.

    Raises:
        BadSource: If the avatar is not there.
        ExportError: If TensorRT cannot build the network.
    """
    folder = settings.folder / "avatars" / settings.avatar
    repository = settings.folder / f"served_{backend}"
    gpus = CARD if settings.has_card else ()
    write_entries(folder, repository, ServingOptions(ONNXRUNTIME, instances=instances, gpus=gpus))
    network = repository / f"{settings.avatar}_unet"
    if backend == ONNXRUNTIME:
        if settings.has_card:
            _put(network_file(settings, settings.avatar, "fp16"), network / "1" / BACKENDS[ONNXRUNTIME])
        return repository
    plan = plan_file(settings, findings, load_tensorrt(), settings.avatar, "fp16")
    for name in PLAN_FILES:
        _put(plan, network / "1" / name)
    options = ServingOptions(TENSORRT, instances=instances, gpus=gpus)
    for name, text in unet_configs(read_avatar(folder), options).items():
        with replacing_file(network / name) as new:
            new.write_text(text, encoding="utf-8")
    return repository


def _put(source: Path, target: Path) -> None:
    """Put a file in another's place; the other, which may be a link to the avatar's own, stays as it is."""
    with replacing_file(target) as new:
        link_or_copy(source, new)
