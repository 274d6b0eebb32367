"""Which steps a run has, the most important first. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.gpu.budget import Step
from benchmarks.gpu.journal import Journal
from benchmarks.gpu.libraries import ORT_CPU, ORT_CUDA, ORT_TENSORRT, TENSORRT, TENSORRT_RTX
from benchmarks.gpu.repository import BOTH, FACES, JPEGS, ONNXRUNTIME
from benchmarks.gpu.settings import Settings

__all__ = [
    "AVATAR",
    "FIRST",
    "backend_steps",
    "backends",
    "engine_steps",
    "further_engine_steps",
    "hybrid_step",
    "variant_steps",
]

FIRST = (
    Step("facts", "benchmarks.gpu.facts", 0.1),
    Step("networks and roofline", "benchmarks.gpu.roofline", 0.15),
)
"""What all others depend on."""

AVATAR = Step("avatar", "benchmarks.gpu.repository", 0.15)
"""What all that goes through Triton depends on."""

MAIN, FURTHER = (ORT_CUDA, TENSORRT, TENSORRT_RTX, ORT_CPU), (ORT_TENSORRT,)
BACKENDS = {
    ORT_CUDA: "onnxruntime",
    ORT_CPU: "onnxruntime",
    TENSORRT: "tensorrt",
    TENSORRT_RTX: "tensorrt",
}
"""Triton's backend that runs on each library."""

BEST = "hybrid"
TRAINED = "demo"
"""A network whose pictures are somebody's, beside which differences mean something."""


def engine_steps(settings: Settings, usable: Sequence[str], bounds: Mapping[str, float | None]) -> list[Step]:
    """Return the steps that need no Triton: pictures first, then the engine alone in float16.

    Args:
        settings: Of the run.
        usable: Libraries that can be tried.
        bounds: Frames per second that the card allows, by precision.
    """
    libraries = [name for name in MAIN if name in usable]
    parities = [_parity(settings, name) for name in libraries]
    return parities + [_engine(name, "fp16", bounds) for name in libraries]


def hybrid_step(backend: str, engine: float | None) -> Step:
    """Return the step that measures most frames per second through Triton."""
    return _served(f"{BEST} on {backend}", backend, [BEST], engine, 0.2)


def backend_steps(settings: Settings, backend: str, engine: float | None) -> tuple[list[Step], list[Step]]:
    """Return the other steps through Triton, on the backend that serves: those that come next, and the last ones."""
    where = {"backend": backend}
    next_ones = [
        Step(f"live sessions on {backend}", "benchmarks.gpu.live", 0.25, where),
        Step(f"fixed rate on {backend}", "benchmarks.gpu.open_loop", 0.12, {**where, "strategy": BEST}),
    ]
    last_ones = [
        _served(f"other strategies on {backend}", backend, list(settings.strategies), engine, 0.3),
        Step(f"instances on {backend}", "benchmarks.gpu.instances", 0.25, where),
    ]
    return next_ones, last_ones


def variant_steps(settings: Settings, known: Mapping[str, float | None]) -> list[Step]:
    """Return the steps that spare the path around the network something, where ONNX Runtime serves."""
    if ONNXRUNTIME not in known:
        return []
    variants = (FACES, BOTH, JPEGS) if settings.has_card else (FACES,)
    return [
        _served(f"{BEST} with {variant}", ONNXRUNTIME, [BEST], known[ONNXRUNTIME], 0.12, variant)
        for variant in variants
    ]


def further_engine_steps(
    settings: Settings, usable: Sequence[str], bounds: Mapping[str, float | None]
) -> tuple[list[Step], list[Step]]:
    """Return the engines alone that matter less: in float32, and of libraries that serve nothing here."""
    float32 = []
    for name in (name for name in MAIN if name in usable):
        precisions = ["tf32", "fp32"] if name == ORT_CUDA else ["tf32"]
        float32 += [_parity(settings, name, precisions), _engine(name, "tf32", bounds)]
    others = [name for name in FURTHER if name in usable]
    steps = [step for name in others for step in (_parity(settings, name), _engine(name, "fp16", bounds))]
    return float32, steps


def backends(usable: Sequence[str], journal: Journal) -> dict[str, float | None]:
    """Return Triton's backends whose engine ran, the fastest first, with its frames per second; if none did, all.

    The ``tensorrt`` stand-in takes ``tensorrt`` where it is installed, so an engine of ``tensorrt_rtx`` counts only
    without it.
    """
    found: dict[str, float | None] = {}
    for library in MAIN:
        if library in usable and BACKENDS[library] not in found:
            rates = journal.values("engine", "frames/s", library=library, precision="fp16", data="over PCIe")
            found[BACKENDS[library]] = max(rates, default=None)
    ran = {backend: rate for backend, rate in found.items() if rate} or found
    return dict(sorted(ran.items(), key=lambda item: -(item[1] or 0.0)))


def _parity(settings: Settings, library: str, precisions: Sequence[str] = ("fp16",)) -> Step:
    avatars = [settings.avatar, TRAINED] if settings.has_card else [settings.avatar]
    arguments = {
        "library": library,
        "precisions": list(precisions),
        "avatars": list(dict.fromkeys(avatars)),
    }
    return Step(f"pictures of {library}, {', '.join(precisions)}", "benchmarks.gpu.parity", 0.15, arguments)


def _engine(library: str, precision: str, bounds: Mapping[str, float | None]) -> Step:
    arguments = {"library": library, "precision": precision, "bound": bounds.get(precision)}
    return Step(f"{library} alone, {precision}", "benchmarks.gpu.engine", 0.12, arguments)


def _served(
    name: str, backend: str, strategies: list[str], engine: float | None, share: float, variant: str = ""
) -> Step:
    arguments = {"backend": backend, "strategies": strategies, "engine": engine, "variant": variant}
    return Step(name, "benchmarks.gpu.served", share, arguments)
