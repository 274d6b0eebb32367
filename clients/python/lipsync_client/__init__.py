"""Thin client for lip-sync avatars served by NVIDIA Triton: sync and asyncio, gRPC and HTTP."""

from lipsync_client.async_client import AsyncLipsyncClient
from lipsync_client.client import LipsyncClient
from lipsync_client.errors import (
    ClientClosed,
    InferTimeout,
    InvalidAnswer,
    InvalidFrameId,
    InvalidSetting,
    InvalidUrl,
    LipsyncError,
    ServerError,
    ServerUnavailable,
    TransportNotInstalled,
    UnknownModel,
)
from lipsync_client.wire import AvatarMetadata, Frame

__all__ = [
    "AsyncLipsyncClient",
    "AvatarMetadata",
    "ClientClosed",
    "Frame",
    "InferTimeout",
    "InvalidAnswer",
    "InvalidFrameId",
    "InvalidSetting",
    "InvalidUrl",
    "LipsyncClient",
    "LipsyncError",
    "ServerError",
    "ServerUnavailable",
    "TransportNotInstalled",
    "UnknownModel",
]
