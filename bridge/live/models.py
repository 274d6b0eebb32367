"""What a session asks Triton for: feature vectors of sound, and pictures of windows of them. Stateless, every call."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bridge import request_id
from bridge.balancer import Balancer
from bridge.errors import InternalError, UnknownModel
from bridge.live.requests import Picture
from bridge.triton import INT32, InferRequest, InferResponse, bytes_output, int32_output, raw_output
from speech.contract import AUDIO_SHAPES, FEATURE_SIZE
from speech.mel import VECTOR_SAMPLES

__all__ = ["LiveModels"]

AUDIO_SHAPE = (1, *AUDIO_SHAPES["ave"])
BOUNDS_VALUES = 4

Vectors = NDArray[np.float32]


class LiveModels:
    """The models ``<avatar>_speech`` and ``<avatar>_live`` of all upstreams.

    Every method raises ``UnknownModel``, ``NoUpstreamReady``, ``Overloaded``, ``InferTimeout`` or ``InternalError``.

    Args:
        balancer: Whom to ask.
        timeout_s: Deadline of one call, and how long a request may wait in Triton's queue.
        is_live: Whether somebody speaks meanwhile: such calls come before those of clips.
    """

    def __init__(self, balancer: Balancer, timeout_s: float, *, is_live: bool = True) -> None:
        self._is_live = is_live
        self._balancer = balancer
        self._timeout_s = timeout_s

    async def can_hear(self, avatar: str) -> bool:
        """Tell whether both models of an avatar are loaded."""
        try:
            await self._check_loaded(f"{avatar}_speech")
            await self._check_loaded(f"{avatar}_live")
        except UnknownModel:
            return False
        return True

    async def encode(self, avatar: str, samples: Vectors) -> Vectors:
        """Return the vectors, (n, 512) float32, of emphasised sound, (n, 3800) float32."""
        request = self._request(f"{avatar}_speech", ("features",))
        request.inputs.add(name="samples", datatype="FP32", shape=(len(samples), VECTOR_SAMPLES))
        request.raw_input_contents.append(np.ascontiguousarray(samples, np.float32).tobytes())
        content = raw_output(await self._infer(request), "features")
        if len(content) != len(samples) * FEATURE_SIZE * 4:
            raise InternalError(
                f"model '{avatar}_speech': expected {len(samples)} vectors, got {len(content)} bytes"
            )
        return np.frombuffer(content, np.float32).reshape(len(samples), FEATURE_SIZE)

    async def paint(self, avatar: str, frame_id: int, window: Vectors) -> tuple[Picture, str]:
        """Return a frame of the clip saying ``window``, (16, 512) float32, and the version of the model."""
        request = self._request(f"{avatar}_live", ("jpeg", "bounds"))
        request.inputs.add(name="frame_id", datatype="INT32", shape=(1, 1))
        request.inputs.add(name="audio", datatype="FP32", shape=AUDIO_SHAPE)
        request.raw_input_contents.extend([INT32.pack(frame_id), window.tobytes()])
        response = await self._infer(request)
        bounds = int32_output(response, "bounds")
        if len(bounds) != BOUNDS_VALUES:
            raise InternalError(f"model '{avatar}_live': expected 4 bounds, got {len(bounds)}")
        x1, y1, x2, y2 = bounds
        return Picture(bytes(bytes_output(response, "jpeg")), (x1, y1, x2, y2)), response.model_version

    async def _check_loaded(self, model_name: str) -> None:
        await self._balancer.call(
            lambda triton: triton.get_model_config(model_name, self._timeout_s), "configuration"
        )

    def _request(self, model_name: str, outputs: tuple[str, ...]) -> InferRequest:
        request = InferRequest()
        request.CopyFrom(_template(model_name, outputs))
        request.id = request_id.current.get()
        return request

    async def _infer(self, request: InferRequest) -> InferResponse:
        return await self._balancer.infer(request, self._timeout_s, is_urgent=self._is_live)


@lru_cache(maxsize=256)  # bounded: names come from clients
def _template(model_name: str, outputs: tuple[str, ...]) -> InferRequest:
    template = InferRequest(model_name=model_name)
    for name in outputs:
        template.outputs.add(name=name)
    return template
