"""A network on a card: all waiting requests run as one batch, in memory that stays on the card. No Triton here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from devices import CUDA, NoGpu  # type: ignore[import-not-found]  # model.py extends sys.path
from numpy.typing import NDArray
from providers import GRAPHS  # type: ignore[import-not-found]

__all__ = ["Batches", "Tensor"]

Feed = Mapping[str, NDArray[Any]]
Outcome = list[NDArray[Any]] | Exception

GRAPH_ID, NO_GRAPH = "gpu_graph_id", "-1"


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
    options: onnxruntime.RunOptions
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

    def warm_up(self, sizes: Sequence[int]) -> None:
        """Run batches of zeros, so that no request waits for a search of algorithms or the recording of a graph.

        Raises:
            Exception: What ONNX Runtime raises where the card cannot run the network.
        """
        for size in sizes:
            list(self._run([{one.name: np.zeros((size, *one.shape), one.dtype) for one in self._inputs}]))

    def _run(self, requests: Sequence[Feed]) -> list[list[NDArray[Any]]]:
        counts = [len(request[self._inputs[0].name]) for request in requests]
        memory = self._memory(self._size(sum(counts)))
        for name, value in memory.inputs.items():
            value.update_inplace(_join([request[name] for request in requests], memory.staged[name]))
        self._session.run_with_iobinding(memory.binding, memory.options)
        results = memory.binding.copy_outputs_to_cpu()
        ends = np.cumsum(counts).tolist()
        return [
            [result[start:end] for result in results]
            for start, end in zip([0, *ends[:-1]], ends, strict=True)
        ]

    def _size(self, count: int) -> int:
        """Return the size to run a batch at: its own, or that of the graph it is padded to."""
        return next((size for size, least in self._graphs.items() if least <= count <= size), count)

    def _memory(self, size: int) -> Memory:
        if size not in self._memories:
            self._memories[size] = self._allocate(size)
        return self._memories[size]

    def _allocate(self, size: int) -> Memory:
        binding, options = self._session.io_binding(), onnxruntime.RunOptions()
        if self.has_graphs:
            options.add_run_config_entry(GRAPH_ID, str(size) if size in self._graphs else NO_GRAPH)
        inputs = {tensor.name: self._on_card(tensor, size) for tensor in self._inputs}
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for tensor in self._outputs:
            binding.bind_ortvalue_output(tensor.name, self._on_card(tensor, size))
        staged = {tensor.name: np.zeros((size, *tensor.shape), tensor.dtype) for tensor in self._inputs}
        return Memory(binding, options, inputs, staged)

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
