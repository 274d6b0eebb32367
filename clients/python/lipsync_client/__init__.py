"""Thin client for lip-sync avatars served by NVIDIA Triton: sync and asyncio, gRPC and HTTP, and live speech."""

from lipsync_client.async_client import AsyncLipsyncClient
from lipsync_client.client import LipsyncClient
from lipsync_client.errors import (
    BadSound,
    ClientClosed,
    InferTimeout,
    InvalidAnswer,
    InvalidFrameId,
    InvalidSetting,
    InvalidUrl,
    LipsyncError,
    Overloaded,
    ServerError,
    ServerUnavailable,
    SpeechLost,
    SpeechRefused,
    SpeechTimeout,
    TransportNotInstalled,
    UnknownModel,
)
from lipsync_client.speech import SpeechSession, connect_speech
from lipsync_client.speech_sync import SyncSpeechSession, connect_speech_sync
from lipsync_client.speech_wire import (
    Ended,
    Fault,
    Idle,
    Interrupted,
    PictureFlags,
    Speaking,
    SpeechPicture,
    Started,
)
from lipsync_client.wire import AvatarMetadata, Frame

__all__ = [
    "AsyncLipsyncClient",
    "AvatarMetadata",
    "BadSound",
    "ClientClosed",
    "Ended",
    "Fault",
    "Frame",
    "Idle",
    "InferTimeout",
    "Interrupted",
    "InvalidAnswer",
    "InvalidFrameId",
    "InvalidSetting",
    "InvalidUrl",
    "LipsyncClient",
    "LipsyncError",
    "Overloaded",
    "PictureFlags",
    "ServerError",
    "ServerUnavailable",
    "Speaking",
    "SpeechLost",
    "SpeechPicture",
    "SpeechRefused",
    "SpeechSession",
    "SpeechTimeout",
    "Started",
    "SyncSpeechSession",
    "TransportNotInstalled",
    "UnknownModel",
    "connect_speech",
    "connect_speech_sync",
]
