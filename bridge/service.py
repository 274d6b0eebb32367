"""What a request means: an avatar's frames, metadata, sound and source pictures, and which avatars there are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bridge.balancer import Balancer
from bridge.config import BridgeConfig
from bridge.errors import (
    BadRequest,
    BridgeError,
    InferTimeout,
    InternalError,
    NoSound,
    NoUpstreamReady,
    Overloaded,
    UnknownModel,
)
from bridge.metrics import CANCELLED, OK, Metrics
from bridge.protocol import check_frame_id
from bridge.recent import Recent
from bridge.representation import etag_of
from bridge.triton import (
    MAX_BATCH_SIZE,
    InferRequest,
    InferResponse,
    ModelConfig,
    TritonClient,
    batch_request,
    bytes_output,
    encode_request,
    frame_request,
    int32_output,
    raw_output,
)
from speech.clip_sound import join_frames
from speech.wav import encode_wav

__all__ = ["Metadata", "Picture", "Placement", "Service", "Sound"]

# Triton's response cache keeps the outputs that the first caller asked for, and answers every later caller with
# them alone. So a frame is always asked for whole, also where only the JPEG is wanted.
FRAME_OUTPUTS = ("jpeg", "bounds")
UNANSWERED = (NoUpstreamReady, InferTimeout, Overloaded)
MAX_REMEMBERED_MODELS = 256
LIST_GRACE_S = 0.5
"""How long the list of avatars waits for one Triton when another has told its own: it may stand still."""

MAX_REMEMBERED_SOUND_BYTES = 64 << 20  # a minute is 1.9 MB

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Metadata:
    """What an avatar says about itself.

    Attributes:
        model_name: Its ensemble's.
        frame_count: Frame ids are 0 to ``frame_count - 1``.
        fps: Frames per second of its clip.
        audio_mode: The speech features its network hears.
        face_size: Width and height, in pixels, of what its network paints.
        bounds: x1, y1, x2, y2 of frame 0's crop in the full frame.
    """

    model_name: str
    frame_count: int
    fps: float
    audio_mode: str
    face_size: int
    bounds: list[int]


@dataclass(frozen=True)
class Picture:
    """A frame's JPEG with the x1, y1, x2, y2 of its crop in the full frame."""

    jpeg: memoryview
    bounds: list[int]


@dataclass(frozen=True)
class Sound:
    """The sound of a clip.

    Attributes:
        wav: A WAV file, 16 kHz mono; empty where the clip is silent.
        version: The avatar's; empty if that changed while the sound was asked for.
        etag: The file's entity tag.
    """

    wav: bytes
    version: str
    etag: str


@dataclass(frozen=True)
class Placement:
    """Where an avatar's network runs (``cpu`` or ``cuda``), and what makes it fast there."""

    device: str
    optimizations: list[str]


class Service:
    """The bridge's requests, answered by Triton.

    Every method raises ``UnknownModel``, ``NoUpstreamReady``, ``InferTimeout``, ``Overloaded``, ``Refused`` or
    ``InternalError``; those with a frame id also ``InvalidFrameId``, and ``BadRequest`` for a model that is not an
    avatar's.
    """

    def __init__(self, config: BridgeConfig, balancer: Balancer, metrics: Metrics) -> None:
        self._timeout_s = config.infer_timeout_s
        self._balancer = balancer
        self._metrics = metrics
        self._metadata: Recent[Metadata] = Recent(config.metadata_ttl_s, MAX_REMEMBERED_MODELS)
        self._versions: Recent[str] = Recent(config.metadata_ttl_s, MAX_REMEMBERED_MODELS)
        self._sounds: Recent[Sound] = Recent(
            math.inf, MAX_REMEMBERED_SOUND_BYTES, lambda sound: len(sound.wav)
        )

    async def render(self, model_name: str, frame_id: int) -> memoryview:
        """Return the JPEG of one frame: the hot path."""
        return bytes_output(await self._render(model_name, frame_id), "jpeg")

    async def render_with_bounds(self, model_name: str, frame_id: int) -> Picture:
        """Return one frame with the place of its crop."""
        response = await self._render(model_name, frame_id)
        return Picture(bytes_output(response, "jpeg"), int32_output(response, "bounds"))

    async def list_models(self) -> list[str]:
        """Return the names of all avatars, sorted: models that are ready together with their ``_frames``."""
        indexes = await self._balancer.call_all(
            lambda triton: triton.get_model_repository_index(self._timeout_s), LIST_GRACE_S
        )
        ready = {name for index in indexes for name in index}
        return sorted(name for name in ready if f"{name}_frames" in ready)

    async def metadata(self, model_name: str) -> Metadata:
        """Return an avatar's metadata, at most ``metadata_ttl_s`` old."""
        return await self._metadata.get((model_name,), lambda: self._ask_for_metadata(model_name))

    async def sound(self, model_name: str) -> Sound:
        """Return the sound of an avatar's clip, of a version that was served ``metadata_ttl_s`` ago or later.

        It is asked for once per version, however many want it.

        Raises:
            NoSound: If the clip is silent.
        """
        version = await self._versions.get((model_name,), lambda: self._ask_for_version(model_name))
        sound = await self._sounds.get((model_name, version), lambda: self._ask_for_sound(model_name))
        if sound.version != version:  # another Triton's, or it was loaded anew meanwhile
            self._sounds.forget(model_name)
        if not sound.wav:
            raise NoSound(model_name)
        return sound

    def forget(self, model_name: str) -> None:
        """Ask for an avatar's metadata and sound again, next time: it was loaded anew."""
        for recent in (self._metadata, self._versions, self._sounds):
            recent.forget(model_name)

    async def close(self) -> None:
        """Stop asking for what nobody waits for any more."""
        for recent in (self._metadata, self._versions, self._sounds):
            await recent.close()

    async def all_metadata(self) -> list[Metadata]:
        """Return the metadata of all avatars, sorted by name.

        One unloaded or lost meanwhile is left out, and so are models that only look like an avatar's.
        """
        names = await self.list_models()
        answers = await asyncio.gather(*map(self.metadata, names), return_exceptions=True)
        known = [answer for answer in answers if isinstance(answer, Metadata)]
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, (InternalError, BadRequest)) or (known and isinstance(answer, UNANSWERED)):
                logger.warning("'%s' is left out: %s", name, getattr(answer, "detail", answer))
            elif isinstance(answer, BaseException) and not isinstance(answer, UnknownModel):
                raise answer
        return known

    async def video_frame(self, model_name: str, frame_id: int, video_type: str) -> memoryview:
        """Return a source picture as JPEG: the whole frame (``full_body``) or the face (``rois_320``)."""
        output = "full_frame" if video_type == "full_body" else "face"
        with _in_the_words_of(model_name):
            response = await self._infer(f"{model_name}_frames", check_frame_id(frame_id), (output,))
        if output == "full_frame":
            return bytes_output(response, output)
        return await self._encode(raw_output(response, output))

    async def placement(self, model_name: str) -> Placement:
        """Return where an avatar's network runs, and how, by Triton's own account."""
        with _in_the_words_of(model_name):
            network, ensemble = await asyncio.gather(
                self._model_config(f"{model_name}_unet"), self._model_config(model_name)
            )
        return _read_placement(network, ensemble)

    async def _render(self, model_name: str, frame_id: int) -> InferResponse:
        start_s = time.perf_counter()
        code = CANCELLED
        try:
            response = await self._infer(model_name, check_frame_id(frame_id), FRAME_OUTPUTS)
            code = OK
            return response
        except BridgeError as exc:
            code = exc.code
            raise
        finally:
            duration_s = time.perf_counter() - start_s
            self._metrics.count_frame(model_name, code, duration_s)
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug("%s/%d: %s in %.2f ms", model_name, frame_id, code, duration_s * 1000)

    async def _infer(self, model_name: str, frame_id: int, outputs: tuple[str, ...]) -> InferResponse:
        return await self._send(frame_request(model_name, frame_id, outputs))

    async def _encode(self, face: bytes) -> memoryview:
        try:
            return bytes_output(await self._send(encode_request(face)), "jpeg")
        except UnknownModel as exc:  # the caller named another, which there is
            raise InternalError(
                "expected the model 'jpeg_encode' to be loaded, got none of that name"
            ) from exc

    async def _send(self, request: InferRequest) -> InferResponse:
        return await self._balancer.infer(request, self._timeout_s)

    async def _ask_for_metadata(self, model_name: str) -> Metadata:
        frames_name = f"{model_name}_frames"
        with _in_the_words_of(model_name):
            config = await self._model_config(frames_name)
            request = frame_request(frames_name, 0, ("bounds",))
            # not in turn: many wait for it, and live sessions begin with it
            response = await self._balancer.call(
                lambda triton: triton.infer(request, self._timeout_s), "bounds"
            )
        return _read_metadata(model_name, config, int32_output(response, "bounds"))

    async def _ask_for_version(self, model_name: str) -> str:
        return await self._balancer.call(
            lambda triton: triton.get_model_version(model_name, self._timeout_s), "version"
        )

    async def _ask_for_sound(self, model_name: str) -> Sound:
        """Ask one Triton for the sound of all frames, in batches one after another, and for its version of it."""
        frames_name = f"{model_name}_frames"

        async def ask(triton: TritonClient) -> Sound:
            version = await triton.get_model_version(model_name, self._timeout_s)
            config = await triton.get_model_config(frames_name, self._timeout_s)
            metadata = _read_metadata(model_name, config, [])
            frame_ids = range(metadata.frame_count)
            parts = []
            for start in frame_ids[::MAX_BATCH_SIZE]:
                batch = frame_ids[start : start + MAX_BATCH_SIZE]
                request = batch_request(frames_name, batch, ("sound",))
                parts.append(raw_output(await triton.infer(request, self._timeout_s), "sound"))
            rows = np.frombuffer(b"".join(parts), "<i2").reshape(metadata.frame_count, -1)
            wav = encode_wav(join_frames(rows, metadata.fps).tobytes()) if rows.any() else b""
            if await triton.get_model_version(model_name, self._timeout_s) != version:
                version = ""  # half of it may be the old clip's
            return Sound(wav, version, etag_of(wav))

        with _in_the_words_of(model_name):
            return await self._balancer.call(ask, f"the sound of {model_name}")

    async def _model_config(self, model_name: str) -> ModelConfig:
        return await self._balancer.call(
            lambda triton: triton.get_model_config(model_name, self._timeout_s), "configuration"
        )


@contextlib.contextmanager
def _in_the_words_of(model_name: str) -> Iterator[None]:
    """Name the avatar that was asked for where Triton does not know one of the models it is made of."""
    try:
        yield
    except UnknownModel as exc:
        raise UnknownModel(model_name) from exc


def _read_metadata(model_name: str, config: ModelConfig, bounds: list[int]) -> Metadata:
    parameters = {key: value.string_value for key, value in config.parameters.items()}
    try:
        return Metadata(
            model_name=model_name,
            frame_count=int(parameters["frame_count"]),
            fps=float(parameters["fps"]),
            audio_mode=parameters["audio_mode"],
            face_size=next(output.dims[0] for output in config.output if output.name == "face"),
            bounds=bounds,
        )
    except (KeyError, ValueError, StopIteration, IndexError) as exc:
        outputs = [output.name for output in config.output]
        raise InternalError(
            f"model '{model_name}_frames': expected frame_count, fps and audio_mode, and the output face, "
            f"got {parameters} and {outputs}"
        ) from exc


def _read_placement(network: ModelConfig, ensemble: ModelConfig) -> Placement:
    groups = network.instance_group
    on_gpu = any(group.kind == group.KIND_GPU for group in groups)
    instances = sum(group.count for group in groups)
    optimizations = [network.backend]
    if network.HasField("dynamic_batching"):
        optimizations.append("dynamic_batching")
    if instances > 1:
        optimizations.append(f"{instances}_instances")
    if ensemble.response_cache.enable:
        optimizations.append("response_cache")
    return Placement("cuda" if on_gpu else "cpu", optimizations)
