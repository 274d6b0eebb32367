"""What a model's config says about computing on a GPU, as options of ONNX Runtime's providers. No Triton here.

The keys are those of Triton's native ``onnxruntime`` backend. It knows no CUDA graphs: those are asked for as of
Triton's TensorRT backend, and do no harm where it serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["GRAPHS", "BadConfig", "cuda_options", "graph_sizes", "run_size", "tensorrt_options", "warm_sizes"]

Config = Mapping[str, Any]

GRAPHS = "enable_cuda_graph"
"""The CUDA provider's option for graphs."""

ALGORITHM_SEARCHES = ("EXHAUSTIVE", "HEURISTIC", "DEFAULT")
HEURISTIC = ALGORITHM_SEARCHES[1]
ARENA_STRATEGIES = ("kNextPowerOfTwo", "kSameAsRequested")
NAMED = {"cudnn_conv_algo_search": ALGORITHM_SEARCHES, "arena_extend_strategy": ARENA_STRATEGIES}
PLAIN = ("gpu_mem_limit", "do_copy_in_default_stream")
ACCELERATORS = ("cuda", "tensorrt")
PRECISIONS: dict[str, dict[str, str]] = {
    "FP32": {},
    "FP16": {"trt_fp16_enable": "1"},
    "BF16": {"trt_bf16_enable": "1"},
    "INT8": {"trt_int8_enable": "1"},
}
TENSORRT_NAMES = {
    "max_workspace_size_bytes": "trt_max_workspace_size",
    "int8_calibration_table_name": "trt_int8_calibration_table_name",
    "int8_use_native_calibration_table": "trt_int8_use_native_calibration_table",
}


class BadConfig(ValueError):
    """Raised when a config asks for what cannot be; its text says what was expected and what came."""


def cuda_options(config: Config, index: int) -> dict[str, str]:
    """Return the options of the CUDA provider on one card.

    The accelerator ``cuda`` gives any option of the provider by its own name; the older parameters
    ``cudnn_conv_algo_search``, ``arena_extend_strategy``, ``gpu_mem_limit`` and ``do_copy_in_default_stream`` come
    over it. Where none says how cuDNN chooses its algorithms, it is by its heuristic: ONNX Runtime's own default
    tries all of them for each new size of batch, while requests wait.

    Raises:
        BadConfig: If a parameter is none of its values, or an accelerator is unknown.
    """
    usual = {"cudnn_conv_algo_search": HEURISTIC}
    options = {**usual, **_accelerators(config).get("cuda", {}), "device_id": str(index)}
    for key, names in NAMED.items():
        if (text := _parameter(config, key)) is not None:
            if not text.isdecimal() or int(text) >= len(names):
                raise BadConfig(f"parameter '{key}': expected 0 to {len(names) - 1}, got {text}")
            options[key] = names[int(text)]
    for key in PLAIN:
        if (text := _parameter(config, key)) is not None:
            if not text.isdecimal():
                raise BadConfig(f"parameter '{key}': expected 0 or more, got {text}")
            options[key] = text
    if graph_sizes(config):
        options[GRAPHS] = "1"
    return options


def tensorrt_options(config: Config, index: int) -> dict[str, str] | None:
    """Return the options of the TensorRT provider on one card; None if the config does not ask for it.

    Raises:
        BadConfig: If a parameter of the accelerator ``tensorrt`` is unknown.
    """
    asked = _accelerators(config).get("tensorrt")
    if asked is None:
        return None
    options = {"device_id": str(index)}
    for key, value in asked.items():
        if key == "precision_mode":
            if value not in PRECISIONS:
                raise BadConfig(f"precision_mode: expected one of {', '.join(PRECISIONS)}, got {value}")
            options.update(PRECISIONS[value])
        elif key in TENSORRT_NAMES or key.startswith("trt_"):
            options[TENSORRT_NAMES.get(key, key)] = value
        else:
            raise BadConfig(f"accelerator tensorrt: expected a parameter of the native backend, got '{key}'")
    return options


def graph_sizes(config: Config) -> dict[int, int]:
    """Return the batches a CUDA graph is recorded for, each with the smallest batch that it also runs, padded.

    Where the config asks for graphs and names none, they are 1, 2, 4 and so on, up to the greatest batch.
    """
    cuda = config.get("optimization", {}).get("cuda") or {}
    if not cuda.get("graphs"):
        return {}
    greatest = max(1, config["max_batch_size"])
    specs = cuda.get("graph_spec") or [{"batch_size": 1 << power} for power in range(greatest.bit_length())]
    sizes = {}
    for spec in specs:
        size = max(1, int(spec.get("batch_size", 1)))
        if size > greatest:
            raise BadConfig(f"graph_spec: expected batches of 1 to {greatest} (max_batch_size), got {size}")
        least = int((spec.get("graph_lower_bound") or {}).get("batch_size", 0))
        sizes[size] = least if 0 < least <= size else size
    return dict(sorted(sizes.items()))


def run_size(count: int, graphs: Mapping[int, int]) -> int:
    """Return the size to run a batch at: its own, or that of the graph it is padded to."""
    return next((size for size, least in graphs.items() if least <= count <= size), count)


def warm_sizes(config: Config) -> list[int]:
    """Return the batches to run before any request: those with graphs, and all that Triton may join."""
    graphs = graph_sizes(config)
    greatest = max(1, config["max_batch_size"]) if config.get("dynamic_batching") is not None else 1
    return sorted({*graphs, *(run_size(count, graphs) for count in range(1, greatest + 1))})


def _accelerators(config: Config) -> dict[str, dict[str, str]]:
    listed = config.get("optimization", {}).get("execution_accelerators") or {}
    found = {}
    for accelerator in listed.get("gpu_execution_accelerator") or []:
        if accelerator["name"] not in ACCELERATORS:
            raise BadConfig(
                f"gpu_execution_accelerator: expected cuda or tensorrt, got '{accelerator['name']}'"
            )
        found[accelerator["name"]] = dict(accelerator.get("parameters") or {})
    return found


def _parameter(config: Config, key: str) -> str | None:
    value: str | None = config["parameters"].get(key, {}).get("string_value")
    return value
