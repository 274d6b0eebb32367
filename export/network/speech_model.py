"""The graph from sound to feature vectors that is served: DFT, mel bands and an audio encoder in one ONNX file.

The formula is that of ``speech.mel``. The DFT of the windowed frames is one convolution, so that any runtime and
TensorRT take it; its input is emphasised already, since what lies past a sound's end is zero only then.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.errors import VerificationFailed
from speech.contract import FEATURE_SIZE
from speech.features import AudioEncoder
from speech.mel import (
    FFT_SIZE,
    FLOOR,
    HOP,
    RANGE_DB,
    REFERENCE_DB,
    SMALLEST_MAGNITUDE,
    VECTOR_SAMPLES,
    hann_window,
    mel_filters,
    mel_of_emphasised,
)

__all__ = ["add_ears", "verify_ears"]

SAMPLES, FEATURES = "samples", "features"
PREFIX = "ears_"
BINS = FFT_SIZE // 2 + 1
TOLERANCE = 1e-3
"""Greatest allowed difference of a vector, as a share of the largest value."""


def add_ears(encoder: ModelProto) -> ModelProto:
    """Put DFT and mel bands before an audio encoder.

    Args:
        encoder: ``mel`` (B, 1, 80, 16) float32 to ``features`` (B, 512) float32; left as it is.

    Returns:
        Input ``samples`` (batch, 3800) float32, 16 kHz, emphasised, -2.0 to 2.0; output ``features`` (batch, 512)
        float32.
    """
    model = onnx.ModelProto()
    model.CopyFrom(encoder)
    graph = model.graph
    inner = list(graph.node)
    del graph.node[:], graph.input[:], graph.output[:]
    graph.initializer.extend(
        numpy_helper.from_array(value, PREFIX + name) for name, value in _constants().items()
    )
    graph.node.extend([*_nodes(), *inner])
    graph.input.append(helper.make_tensor_value_info(SAMPLES, TensorProto.FLOAT, ["batch", VECTOR_SAMPLES]))
    graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["batch", FEATURE_SIZE]))
    onnx.checker.check_model(model, full_check=True)
    return model


def verify_ears(model: ModelProto, encoder: AudioEncoder) -> float:
    """Compare the graph with ``speech.mel`` and the encoder alone, on noise, a tone and silence.

    Returns:
        The greatest difference, as a share of the largest value.

    Raises:
        VerificationFailed: If it is above 1e-3.
    """
    sounds = _example_sounds()
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (got,) = session.run([FEATURES], {SAMPLES: sounds})
    mel = np.stack([mel_of_emphasised(sound) for sound in sounds])[:, None]
    expected = encoder(mel)
    difference = float(np.abs(got - expected).max() / max(1.0, np.abs(expected).max()))
    if not difference <= TOLERANCE:  # "not" refuses NaN, too
        raise VerificationFailed(
            f"the speech model differs from the audio encoder by {difference:.2e} of its largest value "
            f"(tolerance {TOLERANCE:.0e})"
        )
    return difference


def _constants() -> dict[str, NDArray[np.generic]]:
    angles = 2 * np.pi * np.outer(np.arange(BINS), np.arange(FFT_SIZE)) / FFT_SIZE
    waves = np.concatenate([np.cos(angles), np.sin(angles)]) * hann_window()
    scale = 8 / RANGE_DB
    return {
        "waves": waves[:, None].astype(np.float32),
        "bands": mel_filters().astype(np.float32),
        "least": np.float32(SMALLEST_MAGNITUDE).reshape(()),
        "gain": np.float32(20 / np.log(10) * scale).reshape(()),
        "offset": np.float32((RANGE_DB - REFERENCE_DB) * scale + FLOOR).reshape(()),
        "lowest": np.float32(FLOOR).reshape(()),
        "highest": np.float32(-FLOOR).reshape(()),
        "channel": np.array([1], np.int64),
        "halves": np.array([BINS, BINS], np.int64),
    }


def _nodes() -> list[NodeProto]:
    def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> NodeProto:
        def names(text: str) -> list[str]:
            return [name if name in (SAMPLES, "mel") else PREFIX + name for name in text.split()]

        return helper.make_node(
            kind, names(inputs), names(outputs), f"{PREFIX}{kind}_{outputs.split()[0]}", **attributes
        )

    return [
        node("Unsqueeze", "samples channel", "sound"),  # (B, 1, 3800)
        node("Conv", "sound waves", "spectrum", strides=[HOP], kernel_shape=[FFT_SIZE]),  # (B, 802, 16)
        node("Split", "spectrum halves", "real imaginary", axis=1),
        node("Mul", "real real", "real_2"),
        node("Mul", "imaginary imaginary", "imaginary_2"),
        node("Add", "real_2 imaginary_2", "power"),
        node("Sqrt", "power", "magnitude"),  # (B, 401, 16)
        node("MatMul", "bands magnitude", "mel_magnitude"),  # (B, 80, 16)
        node("Max", "mel_magnitude least", "audible"),
        node("Log", "audible", "logarithm"),
        node("Mul", "logarithm gain", "decibels"),
        node("Add", "decibels offset", "scaled"),
        node("Clip", "scaled lowest highest", "clipped"),
        node("Unsqueeze", "clipped channel", "mel"),  # (B, 1, 80, 16)
    ]


def _example_sounds() -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    time_s = np.arange(VECTOR_SAMPLES) / 16_000
    levels = np.array([0.5, 0.05, 1e-3])[:, None]
    noise: NDArray[np.float64] = rng.normal(size=(3, VECTOR_SAMPLES)) * levels
    tone = np.sin(2 * np.pi * 220 * time_s)[None] * levels
    overtones = np.arange(1, 30)[:, None]
    voice = (np.sin(2 * np.pi * 140 * overtones * time_s) / overtones).sum(axis=0)
    voiced = voice[None] * levels * 0.3
    silence = np.zeros((1, VECTOR_SAMPLES))
    return np.concatenate([noise, tone, voiced, silence], dtype=np.float32, casting="same_kind")
