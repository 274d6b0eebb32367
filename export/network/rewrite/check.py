"""Look into a served graph: the network's output before it becomes a picture, and whether two graphs agree on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, helper

from export.errors import VerificationFailed
from export.network.borders import SCALE_OUT, tensor_shapes

__all__ = ["Probe", "check_same", "example_frame"]

TOLERANCE = 1e-4
"""Greatest allowed difference of the network's output, on a scale of 0.0 to 1.0."""

CHANNELS = 3


class Probe:
    """A session that also gives the network's output, whichever layout the graph computes it in.

    Args:
        model: A served graph; left as it is.
    """

    def __init__(self, model: ModelProto) -> None:
        probed = ModelProto()
        probed.CopyFrom(model)
        scale = next(node for node in probed.graph.node if node.name == SCALE_OUT)
        cast = next(node for node in probed.graph.node if node.name == "border_cast_in")
        self._output = scale.input[0]
        value = helper.make_tensor_value_info(self._output, cast.attribute[0].i, ["batch", None, None, None])
        kept = [known for known in probed.graph.value_info if known.name != self._output]
        del probed.graph.value_info[:]
        probed.graph.value_info.extend(kept)
        probed.graph.output.append(value)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            probed.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, inputs: dict[str, NDArray[Any]]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return the picture (B, S, S, 3) uint8 BGR and the output (B, 3, S, S) float32, 0.0 to 1.0."""
        image, output = self._session.run(["image", self._output], inputs)
        if output.shape[-1] == CHANNELS:
            output = output.transpose(0, 3, 1, 2)
        return image, output.astype(np.float32)


def example_frame(model: ModelProto) -> dict[str, NDArray[Any]]:
    """Return inputs for one frame, by tensor name: ``face`` and ``audio``, seeded."""
    rng = np.random.default_rng(1)
    shapes = {name: shape[1:] for name, shape in tensor_shapes(list(model.graph.input)).items()}
    return {
        "face": rng.integers(0, 256, (1, *map(int, shapes["face"])), dtype=np.uint8),
        "audio": rng.normal(0.0, 1.5, (1, *map(int, shapes["audio"]))).astype(np.float32),
    }


def check_same(model: ModelProto, rewritten: ModelProto) -> None:
    """Compare a rewritten graph with the one it was made of, through ONNX Runtime, on one frame.

    Raises:
        VerificationFailed: If their outputs differ by more than 1e-4.
    """
    frame = example_frame(model)
    outputs = [Probe(graph).run(frame)[1] for graph in (model, rewritten)]
    difference = float(np.abs(outputs[0] - outputs[1]).max())
    if not difference <= TOLERANCE:  # "not" refuses NaN, too
        raise VerificationFailed(
            f"the rewritten network differs from the exported one by {difference:.2e} (tolerance {TOLERANCE:.0e})"
        )
