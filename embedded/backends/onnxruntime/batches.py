"""A network on a card: all waiting requests run as one batch, in memory that stays on the card. No Triton here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from devices import CUDA, NoGpu  # type: ignore[import-not-found]  # model.py extends sys.path
from numpy.typing import NDArray
from providers import GRAPHS, run_size  # type: ignore[import-not-found]

__all__ = ["Batches", "Tensor"]

Feed = Mapping[str, NDArray[Any]]
Outcome = list[NDArray[Any]] | Exception

GRAPH_ID, NO_GRAPH = "gpu_graph_id", "-1"
ROUNDING = 2
"""Greatest difference of whole numbers, such as a picture's, between two runs."""


@dataclass(frozen=True)
class Tensor:
    """One input or output.

    Attributes:
        name: Its name in the network.
        dtype: Its type.
        shape: Without the batch; -1 where it is open.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def is_fixed(self) -> bool:
        """Whether memory can be set aside for it."""
        return min(self.shape, default=1) >= 0 and self.dtype != np.dtype(object)


@dataclass
class Memory:
    """What a batch of one size is run in: the same addresses each time, as a recorded graph demands."""

    binding: Any
    inputs: dict[str, Any]
    staged: dict[str, NDArray[Any]]


class Batches:
    """Runs whole batches on one card.

    Inputs are copied into memory that is kept on the card for each size of batch, outputs are read back once. Where
    the session records CUDA graphs, a batch of such a size is one launch; one a little smaller is padded to it where
    the config says so.

    Args:
        session: Open on the card.
        inputs: All the network takes.
        outputs: All it gives, in their order.
        index: Which card.
        graphs: The sizes with a graph, each with the smallest batch that is padded to it; used where the session
            has graphs.

    Raises:
        NoGpu: If an input or output has no fixed shape.
    """

    def __init__(
        self,
        session: Any,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        index: int,
        graphs: Mapping[int, int],
    ) -> None:
        for tensor in (*inputs, *outputs):
            if not tensor.is_fixed:
                raise NoGpu(
                    f"tensor '{tensor.name}': expected numbers of fixed dims on a GPU, got {tensor.shape}"
                )
        self._session, self._inputs, self._outputs, self._index = session, inputs, outputs, index
        self.has_graphs = session.get_provider_options().get(CUDA, {}).get(GRAPHS) == "1"
        self._graphs = dict(graphs) if self.has_graphs else {}
        self._memories: dict[int, Memory] = {}
        self._run_options: dict[str | None, onnxruntime.RunOptions] = {}

    def run(self, requests: Sequence[Feed]) -> list[Outcome]:
        """Return the outputs of each request, (B, ...) arrays, or what ONNX Runtime raised on it.

        Where the batch fails as a whole, each request is run alone, so that only the one to blame fails.
        """
        try:
            return list(self._run(requests))
        except Exception as exc:  # ONNX Runtime's errors share no base class of their own
            if len(requests) == 1:
                return [exc]
        return [outcome for request in requests for outcome in self.run([request])]

    def warm_up(self, sizes: Sequence[int]) -> list[int]:
        """Run batches of these sizes, so that no request waits for a search of algorithms or a graph's recording.

        Returns:
            The sizes whose graph gave something else than the network does; they run without one from now on.

        Raises:
            Exception: What ONNX Runtime raises where the card cannot run the network.
        """
        return [size for size in sizes if not self._agrees(size)]

    def _agrees(self, size: int) -> bool:
        """Tell whether a graph that was recorded with one batch gives the network's answer to another, too."""
        requests = [self._example(size, seed) for seed in range(2)]
        expected = [self._run([requests[0]], with_graph=False)[0]]
        if size not in self._graphs:
            return True
        expected.append(self._run([requests[1]], with_graph=False)[0])
        for turn in (0, 1, 0):
            if not all(map(_are_close, self._run([requests[turn]])[0], expected[turn])):
                del self._graphs[size]
                return False
        return True

    def _example(self, size: int, seed: int) -> Feed:
        rng = np.random.default_rng(seed)
        return {one.name: _numbers(rng, one.dtype, (size, *one.shape)) for one in self._inputs}

    def _run(self, requests: Sequence[Feed], *, with_graph: bool = True) -> list[list[NDArray[Any]]]:
        counts = [len(request[self._inputs[0].name]) for request in requests]
        size = run_size(sum(counts), self._graphs)
        memory = self._memory(size)
        for name, value in memory.inputs.items():
            value.update_inplace(_join([request[name] for request in requests], memory.staged[name]))
        self._session.run_with_iobinding(memory.binding, self._options(size if with_graph else 0))
        results = memory.binding.copy_outputs_to_cpu()
        ends = np.cumsum(counts).tolist()
        return [
            [result[start:end] for result in results]
            for start, end in zip([0, *ends[:-1]], ends, strict=True)
        ]

    def _memory(self, size: int) -> Memory:
        if size not in self._memories:
            self._memories[size] = self._allocate(size)
        return self._memories[size]

    def _options(self, size: int) -> onnxruntime.RunOptions:
        """Return what to run with: the graph of a size where it has one, else none."""
        graph = (str(size) if size in self._graphs else NO_GRAPH) if self.has_graphs else None
        if graph not in self._run_options:
            options = self._run_options[graph] = onnxruntime.RunOptions()
            if graph is not None:
                options.add_run_config_entry(GRAPH_ID, graph)
        return self._run_options[graph]

    def _allocate(self, size: int) -> Memory:
        binding = self._session.io_binding()
        inputs = {tensor.name: self._on_card(tensor, size) for tensor in self._inputs}
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for tensor in self._outputs:
            binding.bind_ortvalue_output(tensor.name, self._on_card(tensor, size))
        staged = {tensor.name: np.zeros((size, *tensor.shape), tensor.dtype) for tensor in self._inputs}
        return Memory(binding, inputs, staged)

    def _on_card(self, tensor: Tensor, size: int) -> Any:
        shape = [size, *tensor.shape]
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, tensor.dtype, "cuda", self._index)


def _join(parts: Sequence[NDArray[Any]], staged: NDArray[Any]) -> NDArray[Any]:
    """Return a batch of the size of ``staged``: a request's own array where it is all of it, else a copy in there."""
    if len(parts) == 1 and len(parts[0]) == len(staged) and parts[0].flags.c_contiguous:
        return parts[0]
    count = sum(map(len, parts))
    np.concatenate(parts, out=staged[:count])
    staged[count:] = 0  # not what an earlier batch left there
    return staged


def _numbers(rng: np.random.Generator, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return random numbers, or zeros of a type that may be indices."""
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 256, shape, dtype) if dtype == np.uint8 else np.zeros(shape, dtype)


def _are_close(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    """Compare two runs of one network, of which none has to repeat the other's roundings."""
    if expected.dtype.kind == "f":
        return np.allclose(found, expected, rtol=1e-2, atol=1e-2, equal_nan=True)
    return bool(np.abs(found.astype(np.int64) - expected.astype(np.int64)).max(initial=0) <= ROUNDING)
