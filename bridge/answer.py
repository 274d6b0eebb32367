"""One WebSocket message in, one message out: parse, ask the service, encode, and turn errors into answers."""

from __future__ import annotations

import logging
import time

from bridge.errors import BridgeError, InternalError
from bridge.jpeg import jpeg_shape
from bridge.protocol import (
    VIDEO_TYPES,
    FrameRequest,
    InferenceRequest,
    ListModelsRequest,
    MetadataRequest,
    Request,
    VideoFrameRequest,
    encode_error,
    encode_json,
    parse,
    to_base64,
)
from bridge.service import Service

__all__ = ["Answerer", "Message"]

Message = str | bytes | memoryview

logger = logging.getLogger(__name__)


class Answerer:
    """Answers messages; holds no state of a connection, so one serves them all."""

    def __init__(self, service: Service, max_message_bytes: int) -> None:
        self._service = service
        self._max_message_bytes = max_message_bytes

    async def answer(self, message: str | bytes) -> Message:
        """Return the answer to one message: the JPEG, or text; raises nothing but CancelledError."""
        request = None
        try:
            request = parse(message, self._max_message_bytes)
            if isinstance(request, FrameRequest):
                return await self._service.render(request.model_name, request.frame_id)
            return await self._answer_json(request)
        except BridgeError as exc:
            if isinstance(exc, InternalError):
                logger.error("%s", exc.detail)
            return encode_error(exc, request)
        except Exception:
            logger.exception("a bug: %r ended with a foreign exception", request)
            return encode_error(InternalError("foreign exception"), request)

    async def _answer_json(self, request: Request) -> str:
        if isinstance(request, InferenceRequest):
            return await self._inference(request)
        if isinstance(request, ListModelsRequest):
            models = await self._service.list_models()
            return encode_json("list_models", models=models, count=len(models))
        if isinstance(request, MetadataRequest):
            return await self._metadata(request)
        assert isinstance(request, VideoFrameRequest)
        return await self._video_frame(request)

    async def _inference(self, request: InferenceRequest) -> str:
        start_s = time.perf_counter()
        picture = await self._service.render_with_bounds(request.model_name, request.frame_id)
        return encode_json(
            "inference",
            model_name=request.model_name,
            frame_id=request.frame_id,
            prediction_data=to_base64(picture.jpeg),
            prediction_shape=jpeg_shape(picture.jpeg),
            bounds=picture.bounds,
            processing_time_ms=round((time.perf_counter() - start_s) * 1000, 3),
        )

    async def _metadata(self, request: MetadataRequest) -> str:
        metadata = await self._service.metadata(request.model_name)
        return encode_json(
            "get_metadata",
            model_name=metadata.model_name,
            frame_count=metadata.frame_count,
            fps=metadata.fps,
            audio_mode=metadata.audio_mode,
            available_videos=sorted(set(VIDEO_TYPES.values())),
            bounds=metadata.bounds,
        )

    async def _video_frame(self, request: VideoFrameRequest) -> str:
        jpeg = await self._service.video_frame(request.model_name, request.frame_id, request.video_type)
        return encode_json(
            "get_video_frame",
            model_name=request.model_name,
            frame_id=request.frame_id,
            video_type=request.video_type,
            frame_data=to_base64(jpeg),
        )
