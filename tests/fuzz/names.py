"""The names of the parsers, for the command line: their modules are heavy, and belong in processes of their own."""

from __future__ import annotations

NAMES = (
    *(
        "websocket_binary",
        "websocket_json",
        "speech_control",
        "speech_sound",
        "http_head",
        "tokens",
        "token_content",
    ),
    *(
        "token_file",
        "settings",
        "package_folder",
        "grpc_requests",
        "jpeg_header",
        "speech_event",
        "speech_picture",
    ),
    *(
        "speech_refusal",
        "http_frames",
        "http_status",
        "http_metadata",
        "grpc_frames",
        "grpc_metadata",
        "avatar_json",
    ),
    *(
        "package_info",
        "rectangles",
        "landmarks",
        "features",
        "coordinates",
        "wav",
        "secret",
        "sound",
        "picture",
    ),
    *("video", "package_video", "checkpoint", "encoder_checkpoint", "network", "encoder"),
)
