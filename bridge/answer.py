"""One WebSocket message in, one message out: parse, ask the service, encode, and turn errors into answers."""

from __future__ import annotations

import logging
import time

from bridge.errors import BridgeError, InternalError
from bridge.jpeg import jpeg_shape
from bridge.logs import log_failure
from bridge.protocol import (
    VIDEO_TYPES,
    FrameRequest,
    InferenceRequest,
    JsonRequest,
    ListModelsRequest,
    MetadataRequest,
    VideoFrameRequest,
    encode_error,
    encode_json,
    parse,
    to_base64,
)
from bridge.request_id import current as current_request_id
from bridge.service import Service

__all__ = ["Answerer", "Message"]

Message = str | bytes | memoryview
Fields = dict[str, object]

logger = logging.getLogger(__name__)


class Answerer:
    """Answers messages; holds no state of a connection, so one serves them all."""

    def __init__(self, service: Service, max_message_bytes: int) -> None:
        self._service = service
        self._max_message_bytes = max_message_bytes

    async def answer(self, message: str | bytes, request_id: str) -> Message:
        """Return the answer to one message: the JPEG, or text; raises nothing but CancelledError.

        Args:
            message: As it was received.
            request_id: The request's id, unless the message brings one of its own.
        """
        current_request_id.set(request_id)
        request = None
        try:
            request = parse(message, self._max_message_bytes)
            if isinstance(request, FrameRequest):
                return await self._service.render(request.model_name, request.frame_id)
            if request.request_id is not None:
                current_request_id.set(request.request_id)
            return await self._answer_json(request)
        except BridgeError as exc:
            log_failure(exc)
            return encode_error(exc, request, current_request_id.get())
        except Exception:
            logger.exception("a bug: %r ended with a foreign exception", request)
            return encode_error(InternalError("foreign exception"), request, current_request_id.get())

    async def _answer_json(self, request: JsonRequest) -> str:
        if isinstance(request, InferenceRequest):
            fields = await self._inference(request)
        elif isinstance(request, ListModelsRequest):
            fields = await self._models()
        elif isinstance(request, MetadataRequest):
            fields = await self._metadata(request)
        else:
            fields = await self._video_frame(request)
        return encode_json(request.type, **fields, request_id=current_request_id.get())

    async def _models(self) -> Fields:
        models = await self._service.list_models()
        return {"models": models, "count": len(models)}

    async def _inference(self, request: InferenceRequest) -> Fields:
        start_s = time.perf_counter()
        picture = await self._service.render_with_bounds(request.model_name, request.frame_id)
        return {
            "model_name": request.model_name,
            "frame_id": request.frame_id,
            "prediction_data": to_base64(picture.jpeg),
            "prediction_shape": jpeg_shape(picture.jpeg),
            "bounds": picture.bounds,
            "processing_time_ms": round((time.perf_counter() - start_s) * 1000, 3),
        }

    async def _metadata(self, request: MetadataRequest) -> Fields:
        metadata = await self._service.metadata(request.model_name)
        return {
            "model_name": metadata.model_name,
            "frame_count": metadata.frame_count,
            "fps": metadata.fps,
            "audio_mode": metadata.audio_mode,
            "face_size": metadata.face_size,
            "available_videos": sorted(set(VIDEO_TYPES.values())),
            "bounds": metadata.bounds,
        }

    async def _video_frame(self, request: VideoFrameRequest) -> Fields:
        jpeg = await self._service.video_frame(request.model_name, request.frame_id, request.video_type)
        return {
            "model_name": request.model_name,
            "frame_id": request.frame_id,
            "video_type": request.video_type,
            "frame_data": to_base64(jpeg),
        }
