"""The limit: an ONNX file in a bare loop, with no server, no JPEG and no copy around it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from backends.frame_lookup.frames import FrameStore
from export.contract import UNET_328
from speech.contract import AUDIO_SHAPES, AUDIO_WINDOW

__all__ = ["FrameInputs", "bare_loop", "frame_inputs", "open_session"]

FrameInputs = Callable[[int], dict[str, NDArray[np.generic]]]


def frame_inputs(avatar_folder: Path) -> tuple[FrameInputs, int]:
    """Return a function from a frame id to the network's inputs, and how many frames there are."""
    store = FrameStore(
        avatar_folder, (UNET_328.face_size, UNET_328.face_size, 3), AUDIO_SHAPES["ave"], AUDIO_WINDOW, "zeros"
    )

    def inputs(frame_id: int) -> dict[str, NDArray[np.generic]]:
        ids = np.array([frame_id], np.int32)
        return {"face": store.gather_faces(ids), "audio": store.gather_audio(ids)}

    return inputs, store.count


def open_session(network: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open an ONNX file the way the served one is opened: the batch is fixed to 1.

    The rest is ONNX Runtime's defaults; no other option tried makes a loop without pauses faster.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_free_dimension_override_by_name("batch", 1)
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def bare_loop(network: Path, avatar_folder: Path, threads: int) -> Callable[[], None]:
    """Return a function that computes the next frame on ``threads`` threads."""
    session = open_session(network, threads)
    inputs, count = frame_inputs(avatar_folder)
    feeds = [inputs(frame_id) for frame_id in range(count)]
    feed = itertools.cycle(feeds)

    def compute() -> None:
        session.run(["image"], next(feed))

    return compute
