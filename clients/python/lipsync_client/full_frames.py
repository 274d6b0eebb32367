"""The full frames of an avatar's clip, from the bridge by HTTP; what was asked for lately is remembered."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections import OrderedDict
from urllib.parse import quote

from lipsync_client.errors import InvalidAnswer, ServerError, ServerUnavailable, SpeechTimeout
from lipsync_client.speech_settings import SpeechSettings
from lipsync_client.speech_wire import error_sentence

__all__ = ["FullFrames"]

MOST_BYTES = 64 << 20
"""What is remembered at most: a clip runs forth and back, so that each of its frames is wanted again."""


class FullFrames:
    """Asks for full frames; threads may share it.

    Args:
        settings: Of a session; the bridge, its avatar and the deadlines count.
        most_bytes: What is remembered at most.
    """

    def __init__(self, settings: SpeechSettings, most_bytes: int = MOST_BYTES) -> None:
        self._settings = settings
        self._most_bytes = most_bytes
        self._tls = (
            ssl.create_default_context(cafile=settings.root_certificates)
            if settings.endpoint.is_tls
            else None
        )
        self._lock = threading.Lock()
        self._jpegs: OrderedDict[int, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, frame_id: int) -> bytes:
        """Return a full frame as a JPEG.

        Raises:
            ServerUnavailable: If no bridge answers.
            SpeechTimeout: If it does not answer in time.
            ServerError: If it has no such frame.
            InvalidAnswer: If it answers something else than a JPEG.
        """
        with self._lock:
            if frame_id in self._jpegs:
                self._jpegs.move_to_end(frame_id)
                return self._jpegs[frame_id]
        jpeg = self._ask(frame_id)
        with self._lock:
            self._remember(frame_id, jpeg)
        return jpeg

    def _remember(self, frame_id: int, jpeg: bytes) -> None:
        self._bytes += len(jpeg) - len(self._jpegs.pop(frame_id, b""))
        self._jpegs[frame_id] = jpeg
        while self._bytes > self._most_bytes:
            _, oldest = self._jpegs.popitem(last=False)
            self._bytes -= len(oldest)

    def _ask(self, frame_id: int) -> bytes:
        """Ask on a connection of its own: the bridge answers one request on each."""
        url, timeout_s = str(self._settings.endpoint), self._settings.answer_timeout_s
        connection = self._connection()
        try:
            path = f"/full_frames/{quote(self._settings.avatar, safe='')}/{frame_id}.jpg"
            connection.request("GET", path, headers=self._settings.headers)
            response = connection.getresponse()
            content = response.read()
        except TimeoutError as exc:
            raise SpeechTimeout(url, f"full frame {frame_id}", timeout_s) from exc
        except (OSError, http.client.HTTPException) as exc:
            raise ServerUnavailable(url, str(exc) or type(exc).__name__, "a bridge") from exc
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            reason = error_sentence(content, response.reason)
            raise ServerError(url, self._settings.avatar, str(response.status), reason)
        if not content.startswith(b"\xff\xd8"):
            raise InvalidAnswer(self._settings.avatar, f"a JPEG as full frame {frame_id}", repr(content[:8]))
        return content

    def _connection(self) -> http.client.HTTPConnection:
        endpoint, timeout_s = self._settings.endpoint, self._settings.answer_timeout_s
        if self._tls is not None:
            return http.client.HTTPSConnection(
                endpoint.host, endpoint.port, timeout=timeout_s, context=self._tls
            )
        return http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout_s)
