"""What each call of the service does: requests in, responses out, ``BridgeError`` for a failure.

How a failure reaches the client, and everything else about gRPC, is ``server.py``'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from google.protobuf.message import Message

from bridge import request_id
from bridge.config import BridgeConfig
from bridge.errors import BadRequest, BridgeError
from bridge.grpc_service import schema
from bridge.grpc_service.ordered import in_order
from bridge.grpc_service.packages import PackageLoader
from bridge.grpc_service.spoken import check_chunks, hear
from bridge.jpeg import jpeg_shape
from bridge.live.errors import CannotHear
from bridge.live.models import LiveModels
from bridge.logs import log_failure
from bridge.metrics import Metrics
from bridge.protocol import VIDEO_TYPES, check_frame_id, check_model_name, check_video_type
from bridge.service import Service
from bridge.turns import patiently
from speech.utterance import Utterance

__all__ = ["DeployedCalls", "ShortCalls"]

MAX_BATCH_FRAMES = 1024
BATCHES_AT_ONCE = 2
"""Others wait, in their order: each holds all its pictures until the last one is there, and asks for many at once."""

STATUS_HEALTHY = "healthy"

SPOKEN_AT_ONCE = 4
"""Pictures of one call that are painted at the same time: as many as one live session may ask for."""


class _Calls:
    """What both schemas have: one frame, and health; the response classes are those of ``service_name``."""

    service_name: str

    def __init__(self, config: BridgeConfig, service: Service, metrics: Metrics) -> None:
        self._config = config
        self._service = service
        self._metrics = metrics
        self._started_s = time.monotonic()

    def _message(self, name: str, **fields: object) -> Message:
        message: Message = schema.message_class(self.service_name, name)(**fields)
        return message

    async def HealthCheck(self, request: Message) -> Message:
        """Say whether frames can be answered now, and by how many avatars."""
        try:
            status, loaded_models = STATUS_HEALTHY, len(await self._service.list_models())
        except BridgeError as exc:  # a Triton that is late or refuses to list them is not healthy either
            log_failure(exc)
            status, loaded_models = str(exc), 0
        return self._message(
            "HealthResponse",
            healthy=status == STATUS_HEALTHY,
            status=status,
            loaded_models=loaded_models,
            uptime_seconds=int(time.monotonic() - self._started_s),
        )


class ShortCalls(_Calls):
    """The calls of the short schema."""

    service_name = schema.SHORT

    async def GenerateInference(self, request: Any) -> Message:
        """Return one frame."""
        jpeg = await self._service.render(check_model_name(request.model_name), request.frame_id)
        return self._message(
            "OptimizedInferenceResponse", success=True, frame_id=request.frame_id, prediction_data=bytes(jpeg)
        )


class DeployedCalls(_Calls):
    """The calls of the deployed schema."""

    service_name = schema.DEPLOYED

    def __init__(
        self,
        config: BridgeConfig,
        service: Service,
        metrics: Metrics,
        packages: PackageLoader,
        models: LiveModels,
    ) -> None:
        super().__init__(config, service, metrics)
        self._packages = packages
        self._models = models
        self._batches = asyncio.Semaphore(BATCHES_AT_ONCE)

    async def GenerateInference(self, request: Any) -> Message:
        """Return one frame with its bounds and times."""
        start_s = time.perf_counter()
        picture = await self._service.render_with_bounds(
            check_model_name(request.model_name), request.frame_id
        )
        return self._frame(request, picture.jpeg, picture.bounds, start_s)

    async def StreamInference(self, request: Any) -> Message:
        """Return one frame of a stream."""
        return await self.GenerateInference(request)

    async def GenerateBatchInference(self, request: Any) -> Message:
        """Return several frames; one that fails says so in its own response.

        Raises:
            BadRequest: If there are more than MAX_BATCH_FRAMES.
        """
        if len(request.frame_ids) > MAX_BATCH_FRAMES:
            raise BadRequest("frame_ids", f"at most {MAX_BATCH_FRAMES}", str(len(request.frame_ids)))
        with patiently():  # a batch is for a file, not for a screen
            async with self._batches:
                start_s = time.perf_counter()
                answer = self._frame_of_batch(self.GenerateInference)
                frames = in_order(
                    _frame_requests(request.model_name, request.frame_ids), answer, self._config.max_inflight
                )
                return self._batch([response async for response in frames], start_s)

    async def GenerateBatchWithAudio(self, request: Any) -> Message:
        """Return consecutive frames that say the chunks, one each; one that fails says so in its own response.

        Raises:
            BadRequest: If there are more than MAX_BATCH_FRAMES, or not a whole chunk for each.
            CannotHear: If the avatar has no audio encoder.
        """
        name, start, count = check_model_name(request.model_name), request.start_frame_id, request.frame_count
        samples = check_chunks(start, count, request.audio_chunks, MAX_BATCH_FRAMES)
        start_s = time.perf_counter()
        with patiently():  # a batch is for a file, not for a screen
            await self._service.metadata(name)  # there is such an avatar
            if not await self._models.can_hear(name):
                raise CannotHear(name)
            async with self._batches:
                utterance = await hear(self._models, name, samples)
                answer = self._frame_of_batch(
                    lambda frame: self._spoken_frame(frame, utterance, frame.frame_id - start)
                )
                frames = in_order(_frame_requests(name, range(start, start + count)), answer, SPOKEN_AT_ONCE)
                return self._batch([response async for response in frames], start_s)

    async def LoadPackage(self, request: Any) -> Message:
        """Import a package and have every Triton load it."""
        start_s = time.perf_counter()
        features_shape = await self._packages.load(request.package_name, request.package_dir)
        name = request.package_name
        self._service.forget(name)
        metadata = await self._service.metadata(name)
        return self._message(
            "LoadPackageResponse",
            success=True,
            package_name=name,
            message=f"{name} is imported and loaded",
            initialization_time_ms=round((time.perf_counter() - start_s) * 1000),
            frame_count=metadata.frame_count,
            device=(await self._service.placement(name)).device,
            videos_loaded=_video_types(),
            audio_features_shape=features_shape,
            memory_mapped_audio=True,
        )

    async def GetStats(self, request: Any) -> Message:
        """Return what the bridge has counted of one avatar, and where its network runs."""
        name = check_model_name(request.model_name)
        metadata, placement = await self._service.metadata(name), await self._service.placement(name)
        times = self._metrics.frame_times(name)
        return self._message(
            "StatsResponse",
            model_name=name,
            total_requests=times.count,
            avg_inference_time_ms=times.total_s / times.count * 1000 if times.count else 0.0,
            min_inference_time_ms=times.min_s * 1000 if times.count else 0.0,
            max_inference_time_ms=times.max_s * 1000,
            frame_count=metadata.frame_count,
            device=placement.device,
            optimizations_active=placement.optimizations,
        )

    async def ListModels(self, request: Message) -> Message:
        """Return the names of all avatars."""
        models = await self._service.list_models()
        return self._message("ListModelsResponse", loaded_models=models, count=len(models))

    async def GetVideoFrame(self, request: Any) -> Message:
        """Return a source picture."""
        video_type = check_video_type(request.video_type)
        jpeg = await self._service.video_frame(
            check_model_name(request.model_name), request.frame_id, video_type
        )
        return self._message(
            "GetVideoFrameResponse",
            success=True,
            frame_data=bytes(jpeg),
            frame_id=request.frame_id,
            video_type=request.video_type,
        )

    async def GetModelMetadata(self, request: Any) -> Message:
        """Return what an avatar says about itself."""
        metadata = await self._service.metadata(check_model_name(request.model_name))
        return self._message(
            "GetModelMetadataResponse",
            success=True,
            model_name=metadata.model_name,
            frame_count=metadata.frame_count,
            available_videos=_video_types(),
            bounds=metadata.bounds,
        )

    async def _spoken_frame(self, request: Any, utterance: Utterance, number: int) -> Message:
        """Return a frame of the clip that says the chunk of that number."""
        start_s = time.perf_counter()
        window = utterance.window(number)
        picture, _ = await self._models.paint(request.model_name, check_frame_id(request.frame_id), window)
        return self._frame(request, picture.jpeg, picture.bounds, start_s)

    def _frame(
        self, request: Any, jpeg: bytes | memoryview, bounds: Sequence[int], start_s: float
    ) -> Message:
        duration_ms = (time.perf_counter() - start_s) * 1000
        return self._message(
            "OptimizedInferenceResponse",
            success=True,
            prediction_data=bytes(jpeg),
            bounds=bounds,
            processing_time_ms=round(duration_ms),
            model_name=request.model_name,
            frame_id=request.frame_id,
            prediction_shape=jpeg_shape(jpeg),
            inference_time_ms=duration_ms,
        )

    def _batch(self, responses: Sequence[Message], start_s: float) -> Message:
        duration_ms = (time.perf_counter() - start_s) * 1000
        return self._message(
            "BatchInferenceResponse",
            responses=responses,
            total_processing_time_ms=round(duration_ms),
            avg_frame_time_ms=duration_ms / len(responses) if responses else 0.0,
        )

    def _frame_of_batch(
        self, answer: Callable[[Any], Awaitable[Message]]
    ) -> Callable[[tuple[int, Any]], Awaitable[Message]]:
        """Return ``answer`` for numbered requests, whose failures are responses."""

        async def answer_one(numbered: tuple[int, Any]) -> Message:
            number, request = numbered
            request_id.current.set(f"{request_id.current.get()}-{number}")
            try:
                return await answer(request)
            except BridgeError as exc:
                log_failure(exc)
                response_class = schema.message_class(self.service_name, "OptimizedInferenceResponse")
                response = schema.failure(response_class, request, str(exc))
                assert response is not None
                return response

        return answer_one


async def _frame_requests(model_name: str, frame_ids: Iterable[int]) -> AsyncIterator[tuple[int, Any]]:
    request_class = schema.message_class(schema.DEPLOYED, "OptimizedInferenceRequest")
    for number, frame_id in enumerate(frame_ids, 1):
        yield number, request_class(model_name=model_name, frame_id=frame_id)


def _video_types() -> list[str]:
    return sorted(set(VIDEO_TYPES.values()))
