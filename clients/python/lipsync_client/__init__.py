"""Thin client for lip-sync avatars served by NVIDIA Triton: sync and asyncio, gRPC and HTTP."""

from .async_client import AsyncLipsyncClient
from .client import LipsyncClient
from .errors import (
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
from .wire import AvatarMetadata, Frame

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
