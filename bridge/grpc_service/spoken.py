"""The predecessor's call with sound: chunks that are a whole utterance, and what each frame hears of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bridge.errors import BadRequest
from bridge.live.models import LiveModels
from bridge.protocol import MAX_FRAME_ID
from bridge.triton import MAX_BATCH_SIZE
from speech.contract import SAMPLES_PER_FRAME
from speech.streaming import SoundStream
from speech.utterance import Utterance

__all__ = ["CHUNK_BYTES", "check_chunks", "hear"]

CHUNK_BYTES = 2 * SAMPLES_PER_FRAME
"""The sound of one frame: 40 ms of 16 kHz mono, signed 16 bits, little endian."""


def check_chunks(
    start_frame_id: int, frame_count: int, chunks: Sequence[bytes], most: int
) -> NDArray[np.float32]:
    """Return the sound of a request, (640 · frame_count,) float32.

    Raises:
        BadRequest: If there are more than ``most`` frames, not a whole chunk for each, or ids beyond INT32.
    """
    if not 0 <= frame_count <= most:
        raise BadRequest("frame_count", f"0 to {most}", str(frame_count))
    last_start = MAX_FRAME_ID + 1 - max(frame_count, 1)
    if start_frame_id > last_start:
        raise BadRequest("start_frame_id", f"at most {last_start}", str(start_frame_id))
    if len(chunks) != frame_count:
        raise BadRequest("audio_chunks", f"one for each of {frame_count} frames", str(len(chunks)))
    for number, chunk in enumerate(chunks):
        if len(chunk) != CHUNK_BYTES:
            raise BadRequest(f"audio_chunks[{number}]", f"{CHUNK_BYTES} bytes", str(len(chunk)))
    return SoundStream().feed(b"".join(chunks))


async def hear(models: LiveModels, avatar: str, samples: NDArray[np.float32]) -> Utterance:
    """Return a whole utterance, each of whose frames is ready; before and after it is silence.

    Raises:
        BridgeError: If Triton does not answer with vectors.
    """
    utterance = Utterance()
    utterance.feed(samples)
    utterance.end()
    while utterance.given < utterance.vector_count:
        first, inputs = utterance.inputs(MAX_BATCH_SIZE)
        utterance.put(first, await models.encode(avatar, inputs))
    return utterance
