"""Makes ``onnxruntime`` look like ``onnxruntime-gpu`` on a machine with a card; the CPU provider computes."""

from __future__ import annotations

from typing import Any

import onnxruntime

CUDA, TENSORRT, CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"

opened: list[Any] = []
"""Every session that was opened."""
allocated: list[tuple[list[int], int]] = []
"""Shape and card of all memory that was asked for on a card."""


class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
    """A session that says it has the providers it was asked for, and keeps what each batch was run with."""

    left_out: tuple[str, ...] = ()
    """Providers that cannot be loaded, as ONNX Runtime leaves them out without an error."""
    refused_with: tuple[str, ...] = ()
    """Options of CUDA's provider that ONNX Runtime refuses this network with."""

    def __init__(self, path: Any, options: Any, providers: list[Any], enable_fallback: int = 1) -> None:
        self.asked = [(one, {}) if isinstance(one, str) else one for one in providers]
        cuda = dict(self.asked).get(CUDA, {})
        assert not (cuda and enable_fallback), "ONNX Runtime would go on without CUDA by itself"
        if refused := set(self.refused_with) & cuda.keys():
            raise RuntimeError(f"This session cannot use {refused.pop()}")
        super().__init__(path, options, providers=[CPU])
        self.runs: list[tuple[int, str | None]] = []
        opened.append(self)

    def get_providers(self) -> list[str]:
        return [name for name, _ in self.asked if name not in self.left_out]

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return {name: dict(options) for name, options in self.asked}

    def io_binding(self) -> Any:
        return Binding(self)

    def run_with_iobinding(self, iobinding: Any, run_options: Any = None) -> None:
        try:
            graph = run_options.get_run_config_entry("gpu_graph_id")
        except RuntimeError:  # it has no such entry
            graph = None
        self.runs.append((iobinding.batch_size, graph))
        super().run_with_iobinding(iobinding, run_options)


class Binding(onnxruntime.IOBinding):  # type: ignore[misc]
    """Knows the size of the batch that is bound."""

    def bind_ortvalue_input(self, name: str, value: Any) -> None:
        self.batch_size = value.shape()[0]
        super().bind_ortvalue_input(name, value)


def on_cpu(shape: list[int], element_type: Any, device_type: str = "cpu", device_id: int = 0) -> Any:
    """Give memory of the CPU for that of a card."""
    assert device_type == "cuda"
    allocated.append((shape, device_id))
    return own_memory(shape, element_type)


own_memory = onnxruntime.OrtValue.ortvalue_from_shape_and_type


def install(monkeypatch: Any = None) -> None:
    """Put the stand-ins in place; until the end of a test, or of this process."""
    put = monkeypatch.setattr if monkeypatch else setattr
    put(onnxruntime, "InferenceSession", Session)
    put(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    put(onnxruntime, "cuda_version", "13.0")
    put(onnxruntime, "preload_dlls", lambda: print("Failed to load libcublas.so.13"))
    put(onnxruntime.OrtValue, "ortvalue_from_shape_and_type", on_cpu)
