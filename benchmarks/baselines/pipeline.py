"""The ensemble's three stages as one function, for other servers to serve: the same ONNX file, lookup and JPEG."""

from __future__ import annotations

from pathlib import Path

from backends.jpeg_encode.encoder import encode_jpeg
from benchmarks.baselines.bare import frame_inputs, open_session
from benchmarks.machine import usable_cores

__all__ = ["Pipeline"]

JPEG_SIZE, JPEG_QUALITY = 256, 95


class Pipeline:
    """Frame id to JPEG in this process, on all cores.

    Args:
        avatar_folder: An imported avatar.
        network: The ONNX file that Triton serves.
    """

    def __init__(self, avatar_folder: Path, network: Path) -> None:
        self._inputs, self._count = frame_inputs(avatar_folder)
        self._session = open_session(network, usable_cores())

    def render(self, frame_id: int) -> bytes:
        """Return the JPEG of one frame."""
        (images,) = self._session.run(["image"], self._inputs(frame_id % self._count))
        return encode_jpeg(images[0], JPEG_SIZE, JPEG_QUALITY)
