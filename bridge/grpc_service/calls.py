"""What each call of the service does: requests in, responses out, ``BridgeError`` for a failure.

How a failure reaches the client, and everything else about gRPC, is ``server.py``'s.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.message import Message

from bridge import request_id
from bridge.config import BridgeConfig
from bridge.errors import BadRequest, BridgeError, Unimplemented
from bridge.grpc_service import schema
from bridge.grpc_service.ordered import in_order
from bridge.grpc_service.packages import PackageLoader
from bridge.jpeg import jpeg_shape
from bridge.logs import log_failure
from bridge.metrics import Metrics
from bridge.protocol import VIDEO_TYPES, check_model_name, check_video_type
from bridge.service import Service

__all__ = ["DeployedCalls", "ShortCalls"]

MAX_BATCH_FRAMES = 1024
STATUS_HEALTHY = "healthy"


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
        self, config: BridgeConfig, service: Service, metrics: Metrics, packages: PackageLoader
    ) -> None:
        super().__init__(config, service, metrics)
        self._packages = packages

    async def GenerateInference(self, request: Any) -> Message:
        """Return one frame with its bounds and times."""
        start_s = time.perf_counter()
        picture = await self._service.render_with_bounds(
            check_model_name(request.model_name), request.frame_id
        )
        duration_ms = (time.perf_counter() - start_s) * 1000
        return self._message(
            "OptimizedInferenceResponse",
            success=True,
            prediction_data=bytes(picture.jpeg),
            bounds=picture.bounds,
            processing_time_ms=round(duration_ms),
            model_name=request.model_name,
            frame_id=request.frame_id,
            prediction_shape=jpeg_shape(picture.jpeg),
            inference_time_ms=duration_ms,
        )

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
        start_s = time.perf_counter()
        frames = in_order(_frame_requests(request), self._frame_of_batch, self._config.max_inflight)
        responses = [response async for response in frames]
        duration_ms = (time.perf_counter() - start_s) * 1000
        return self._message(
            "BatchInferenceResponse",
            responses=responses,
            total_processing_time_ms=round(duration_ms),
            avg_frame_time_ms=duration_ms / len(responses) if responses else 0.0,
        )

    async def GenerateBatchWithAudio(self, request: Any) -> Message:
        """Refuse: frames come from the avatar's clip.

        Raises:
            Unimplemented: Always.
        """
        raise Unimplemented("GenerateBatchWithAudio", "GenerateBatchInference")

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

    async def _frame_of_batch(self, numbered: tuple[int, Any]) -> Message:
        number, request = numbered
        request_id.current.set(f"{request_id.current.get()}-{number}")
        try:
            return await self.GenerateInference(request)
        except BridgeError as exc:
            log_failure(exc)
            response_class = schema.message_class(self.service_name, "OptimizedInferenceResponse")
            response = schema.failure(response_class, request, str(exc))
            assert response is not None
            return response


async def _frame_requests(batch: Any) -> AsyncIterator[tuple[int, Any]]:
    request_class = schema.message_class(schema.DEPLOYED, "OptimizedInferenceRequest")
    for number, frame_id in enumerate(batch.frame_ids, 1):
        yield number, request_class(model_name=batch.model_name, frame_id=frame_id)


def _video_types() -> list[str]:
    return sorted(set(VIDEO_TYPES.values()))
