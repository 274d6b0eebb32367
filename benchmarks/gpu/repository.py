"""The avatar, and the model repositories that Triton serves it from: one for each backend of the network."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.gpu.engines import plan_file
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.settings import Settings
from benchmarks.machine import usable_cores
from benchmarks.site import prepare_site
from export.files import link_or_copy, replacing_file
from export.network.engine import load_tensorrt
from export.repository.avatar import read_avatar
from export.repository.configs import BACKENDS, PLAN_FILES, ServingOptions, unet_configs
from export.repository.entries import write_entries

__all__ = ["BOTH", "FACES", "JPEGS", "ONNXRUNTIME", "TENSORRT", "VARIANTS", "measure", "write_repository"]

ONNXRUNTIME, TENSORRT = BACKENDS
CARD = (0,)
LOOKUP_SHARE, JPEG_SHARE = 2 / 16, 6 / 16
"""Of the machine's cores, as ``make bench ARGS=stages`` found for 10,000 frames a second."""


FACES, JPEGS, BOTH = "faces in the network", "JPEGs on the card", "faces and JPEGs on the card"
VARIANTS: dict[str, dict[str, Any]] = {
    "": {},
    FACES: {"frames_in_network": True},
    JPEGS: {"jpeg_device": "gpu"},
    BOTH: {"frames_in_network": True, "jpeg_device": "gpu"},
}
"""What the path around the network may be spared."""


def measure(settings: Settings, findings: Findings) -> None:
    """Make the avatar, which all that goes through Triton needs, and tell how long it took."""
    start_s = time.monotonic()
    prepare_site(settings.folder, (settings.avatar,))
    findings.note(
        "served", f"The avatar '{settings.avatar}' was there after {time.monotonic() - start_s:.1f} s."
    )


def write_repository(
    settings: Settings, findings: Findings, backend: str, instances: int = 2, variant: str = ""
) -> Path:
    """Return a model repository whose network runs on a backend, in float16 where that is on a card.

    Speech stays on ONNX Runtime, in float32: its logarithm spans more than float16 does. The engine for batches is also
    the one for single frames: a second one would take as long to build as all else together.

    Args:
        settings: Of the run.
        findings: Takes how long an engine took.
        backend: ``onnxruntime`` or ``tensorrt``.
        instances: Of the network.
        variant: One of ``VARIANTS``, which ONNX Runtime has only.

    Raises:
        BadSource: If the avatar is not there.
        ExportError: If TensorRT cannot build the network.
    """
    assert not variant or backend == ONNXRUNTIME
    folder = settings.folder / "avatars" / settings.avatar
    repository = settings.folder / "_".join(["served", backend, *variant.split()])
    options = replace(_options(settings, instances), **VARIANTS[variant])
    write_entries(folder, repository, options)
    if backend == TENSORRT:
        network = repository / f"{settings.avatar}_unet"
        plan = plan_file(settings, findings, load_tensorrt(), settings.avatar, "fp16")
        for name in PLAN_FILES:
            _put(plan, network / "1" / name)
        for name, text in unet_configs(read_avatar(folder), replace(options, backend=TENSORRT)).items():
            with replacing_file(network / name) as new:
                new.write_text(text, encoding="utf-8")
    return repository


def _options(settings: Settings, instances: int) -> ServingOptions:
    """Return how models are placed: on a card, with processes enough beside it for what a card asks for."""
    if not settings.has_card:
        return ServingOptions(ONNXRUNTIME, instances=instances)
    return ServingOptions(
        ONNXRUNTIME,
        instances=instances,
        gpus=CARD,
        precision="fp16",
        lookup_instances=max(1, round(LOOKUP_SHARE * usable_cores())),
        jpeg_instances=max(1, round(JPEG_SHARE * usable_cores())),
    )


def _put(source: Path, target: Path) -> None:
    """Put a file in another's place; the other, which may be a link to the avatar's own, stays as it is."""
    with replacing_file(target) as new:
        link_or_copy(source, new)
