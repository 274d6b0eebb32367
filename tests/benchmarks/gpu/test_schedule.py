"""benchmarks/gpu/schedule.py"""

import importlib
import inspect
from pathlib import Path

from benchmarks.gpu.journal import Journal
from benchmarks.gpu.libraries import ORT_CPU, ORT_CUDA, ORT_TENSORRT, TENSORRT, TENSORRT_RTX
from benchmarks.gpu.schedule import (
    AVATAR,
    FIRST,
    backend_steps,
    backends,
    engine_steps,
    further_engine_steps,
    hybrid_step,
    variant_steps,
)
from benchmarks.gpu.settings import STAND_IN, Settings, settings_for
from export.repository.strategies import STRATEGIES

SETTINGS = Settings(site="/site")
ALL = [ORT_CPU, ORT_CUDA, ORT_TENSORRT, TENSORRT, TENSORRT_RTX]
BOUNDS = {"fp16": 1000.0, "tf32": None}


def every_step():
    next_ones, last_ones = backend_steps(SETTINGS, "tensorrt", 100.0)
    float32, others = further_engine_steps(SETTINGS, ALL, BOUNDS)
    steps = [*FIRST, *engine_steps(SETTINGS, ALL, BOUNDS), AVATAR, hybrid_step("onnxruntime", None)]
    steps += variant_steps(SETTINGS, {"onnxruntime": None})
    return [*steps, hybrid_step("tensorrt", 100.0), *next_ones, *float32, *last_ones, *others]


def test_each_step_can_be_made():
    """Each step's module has a ``measure`` that takes the step's arguments, and no two steps have one name."""
    steps = every_step()
    assert len({step.name for step in steps}) == len(steps)
    for step in steps:
        measure = importlib.import_module(step.module).measure
        inspect.signature(measure).bind(SETTINGS, None, **step.arguments)


def test_pictures_come_before_speed():
    """No engine is timed before all libraries' pictures were compared, in float16 first."""
    names = [step.name for step in engine_steps(SETTINGS, [TENSORRT, ORT_CUDA], BOUNDS)]
    assert names == [
        "pictures of onnxruntime-cuda, fp16",
        "pictures of tensorrt, fp16",
        "onnxruntime-cuda alone, fp16",
        "tensorrt alone, fp16",
    ]
    first = engine_steps(SETTINGS, [ORT_CUDA], BOUNDS)[0]
    assert first.arguments == {"library": ORT_CUDA, "precisions": ["fp16"], "avatars": ["wide", "demo"]}
    float32, _ = further_engine_steps(SETTINGS, [TENSORRT, ORT_CUDA], BOUNDS)
    assert [step.name for step in float32] == [
        "pictures of onnxruntime-cuda, tf32, fp32",
        "onnxruntime-cuda alone, tf32",
        "pictures of tensorrt, tf32",
        "tensorrt alone, tf32",
    ]


def test_no_library_no_step():
    """What cannot be imported is not tried."""
    assert engine_steps(SETTINGS, [], BOUNDS) == []
    assert further_engine_steps(SETTINGS, [], BOUNDS) == ([], [])


def test_the_fastest_engine_serves_first(tmp_path):
    """Backends come in the order of their engines, without those whose engine did not run."""
    journal = Journal(tmp_path, "")
    assert backends([TENSORRT_RTX, ORT_CUDA], journal) == {"onnxruntime": None, "tensorrt": None}
    for library, rate in ((ORT_CUDA, 3000.0), (ORT_CUDA, 2000.0)):
        cells = {"library": library, "precision": "fp16", "data": "over PCIe", "frames/s": rate}
        journal.add_row("engine", cells)
    assert backends([TENSORRT_RTX, ORT_CUDA], journal) == {"onnxruntime": 3000.0}
    cells = {"library": TENSORRT, "precision": "fp16", "data": "over PCIe", "frames/s": 9000.0}
    journal.add_row("engine", cells)
    assert list(backends([TENSORRT, TENSORRT_RTX, ORT_CUDA], journal).items()) == [
        ("tensorrt", 9000.0),
        ("onnxruntime", 3000.0),
    ]


def test_variants():
    """The path around the network is spared what a card, or a stand-in, can spare it, where ONNX Runtime serves."""
    stand_in = settings_for(STAND_IN, Path("/site"), "half", 1)
    assert variant_steps(SETTINGS, {"tensorrt": 1.0}) == []
    names = [step.name for step in variant_steps(SETTINGS, {"tensorrt": 2.0, "onnxruntime": 1.0})]
    assert names == [
        "hybrid with faces in the network",
        "hybrid with faces and JPEGs on the card",
        "hybrid with JPEGs on the card",
    ]
    assert len(variant_steps(stand_in, {"onnxruntime": 1.0})) == 1


def test_every_strategy_is_measured():
    """Hybrid comes first, and each other strategy has its turn."""
    measured = [name for step in every_step() for name in step.arguments.get("strategies", [])]
    assert measured[0] == "hybrid"
    assert set(measured) == set(STRATEGIES)
