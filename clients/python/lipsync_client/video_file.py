"""Writes a video with sound, H.264 and AAC in MP4: whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import AudioFrame, VideoFrame
from numpy.typing import NDArray

from lipsync_client.speech_wire import FPS

__all__ = ["VideoFile", "replacing"]

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's name for what is partly made by a network: as each picture does, the video says so."""

ENCODING = {"preset": "veryfast", "crf": "18"}
AUDIO_BITS_PER_S = 128_000
BT_709 = 1
LIMITED_RANGE = 1


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a temporary name beside ``path``: it becomes ``path`` if the block ends well, and is removed otherwise.

    Raises:
        OSError: If no file can be made there.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.touch()
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class VideoFile:
    """A video of 25 pictures a second and its sound, both from time 0; one thread writes it.

    Args:
        path: Of the file; it is overwritten.
        width: Of a picture, pixels; of an odd one the last column is left out, as H.264 has even sizes here.
        height: Of a picture, pixels; likewise.
        sound_rate: Samples a second of the sound track.
        sound_layout: ``mono`` or ``stereo``.

    Attributes:
        pictures: How many were written.
    """

    def __init__(self, path: Path, width: int, height: int, sound_rate: int, sound_layout: str) -> None:
        url = f"file:{path}"  # else FFmpeg takes what stands before a colon for a protocol: talk-12:30.mp4
        self._container = av.open(url, "w", format="mp4", options={"movflags": "+faststart"})
        self._container.metadata["comment"] = f"digital source type: {DIGITAL_SOURCE_TYPE}"
        self._video = self._container.add_stream("libx264", rate=FPS, options=ENCODING)
        self._size = width // 2 * 2, height // 2 * 2
        self._video.width, self._video.height = self._size
        self._video.pix_fmt = "yuv420p"
        context = self._video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT_709
        context.color_range = LIMITED_RANGE
        self._sound = self._container.add_stream("aac", rate=sound_rate, layout=sound_layout)
        self._sound.bit_rate = AUDIO_BITS_PER_S
        self._sound_s = Fraction(0)
        self._sound_samples = 0
        self.pictures = 0

    @property
    def lacks_sound(self) -> bool:
        """Whether more sound is needed to go with the pictures so far."""
        return self._sound_s * FPS < self.pictures

    def write_picture(self, picture: NDArray[np.uint8]) -> None:
        """Write the next picture, HxWx3 uint8 BGR."""
        pixels = np.ascontiguousarray(picture[: self._video.height, : self._video.width])
        frame = VideoFrame.from_ndarray(pixels, format="bgr24")
        frame = frame.reformat(*self._size, format="yuv420p", dst_colorspace="ITU709")
        frame.pts = self.pictures
        frame.time_base = Fraction(1, FPS)
        self._container.mux(self._video.encode(frame))
        self.pictures += 1

    def write_sound(self, frame: AudioFrame) -> None:
        """Write the next sound, of one rate and layout throughout, whichever it is."""
        frame.pts = self._sound_samples
        frame.time_base = Fraction(1, frame.sample_rate)
        self._sound_samples += frame.samples
        self._sound_s = Fraction(self._sound_samples, frame.sample_rate)
        self._container.mux(self._sound.encode(frame))

    def finish(self) -> None:
        """Write what the encoders hold back, and complete the file."""
        self._container.mux(self._video.encode(None))
        self._container.mux(self._sound.encode(None))
        self._container.close()

    def close(self) -> None:
        """Close the file, complete or not; harmless when repeated."""
        self._container.close()
