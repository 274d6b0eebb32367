"""The size a JPEG says it has, from its frame header (ITU-T T.81, B.2.2)."""

from __future__ import annotations

from bridge.errors import InternalError

__all__ = ["jpeg_shape"]

NOT_FRAME_HEADERS = (0xC4, 0xC8, 0xCC)
"""Markers among 0xC0 to 0xCF that start something else: Huffman tables, reserved, arithmetic conditioning."""


def jpeg_shape(jpeg: bytes | memoryview) -> str:
    """Return the picture's shape as ``"256x256x3"``: height, width, channels.

    Raises:
        InternalError: If ``jpeg`` is not a JPEG with a frame header.
    """
    view = memoryview(jpeg)
    if bytes(view[:2]) != b"\xff\xd8":
        raise InternalError(f"expected a JPEG, got {len(view)} bytes that start with {bytes(view[:4])!r}")
    start = 2
    while start + 10 <= len(view) and view[start] == 0xFF:
        marker = view[start + 1]
        if 0xC0 <= marker <= 0xCF and marker not in NOT_FRAME_HEADERS:
            height = int.from_bytes(view[start + 5 : start + 7], "big")
            width = int.from_bytes(view[start + 7 : start + 9], "big")
            return f"{height}x{width}x{view[start + 9]}"
        start += 2 + int.from_bytes(view[start + 2 : start + 4], "big")
    raise InternalError(f"expected a JPEG with a frame header, got {len(view)} bytes without")
