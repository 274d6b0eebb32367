"""lipsync_client/video_file.py"""

from __future__ import annotations

import stat
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lipsync_client.video_file import DIGITAL_SOURCE_TYPE, VideoFile, replacing

COLOURS = [(200, 60, 40), (40, 200, 60), (60, 40, 200), (128, 128, 128)]
"""Blue, green, red of the pictures."""


def write_video(path: Path, count: int = 8, rate: int = 44_100, sound: bool = True) -> None:
    """Write a video of plain colours, 91x71 pixels, and a sound as long."""
    video = VideoFile(path, 91, 71, rate, "stereo")
    for i in range(count):
        video.write_picture(np.full((71, 91, 3), COLOURS[i % len(COLOURS)], np.uint8))
        if sound:
            samples = np.full((2, rate // 25), 0.1, np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate = rate
            video.write_sound(frame)
    if sound:
        video.finish()
    else:
        video.close()
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


def test_what_is_in_the_file(tmp_path: Path) -> None:
    """It is H.264, yuv420p, even in size, 25 pictures a second, and AAC of the given rate, both from time 0 on."""
    write_video(tmp_path / "x.mp4", count=50)
    with av.open(str(tmp_path / "x.mp4")) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        context = video.codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == ("h264", "yuv420p", 90, 70)
        assert (sound.codec_context.name, sound.rate, sound.layout.name) == ("aac", 44_100, "stereo")
        assert (video.average_rate, video.frames) == (25, 50)
        assert (video.start_time, sound.start_time) == (0, 0)
        assert video.duration * video.time_base == 2
        assert abs(sound.duration * sound.time_base - 2) < Fraction(1, 1000)
        assert DIGITAL_SOURCE_TYPE in container.metadata["comment"]
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert times == [Fraction(i, 25) for i in range(50)]


def test_a_name_that_looks_like_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg, which takes what stands before a colon for a protocol, writes to a file."""
    monkeypatch.chdir(tmp_path)
    write_video(Path("talk-12:30.mp4"))
    assert [path.name for path in tmp_path.iterdir()] == ["talk-12:30.mp4"]


def test_colours_and_order(tmp_path: Path) -> None:
    """Each picture is in its place, in its colours: the matrix that the file names is the one that was used."""
    write_video(tmp_path / "x.mp4")
    with av.open(str(tmp_path / "x.mp4")) as container:
        for i, frame in enumerate(container.decode(video=0)):
            assert (frame.colorspace, frame.color_range) == (1, 1)
            pixels = frame.reformat(format="bgr24", src_colorspace="ITU709").to_ndarray()
            assert np.abs(pixels.mean(axis=(0, 1)) - COLOURS[i % 4]).max() < 6


def test_it_can_be_played_while_it_is_loaded(tmp_path: Path) -> None:
    """The index comes before the pictures."""
    write_video(tmp_path / "x.mp4")
    content = (tmp_path / "x.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_replacing(tmp_path: Path) -> None:
    """A file takes the place of the old one when it is complete, with the rights of any file."""
    path = tmp_path / "x.mp4"
    path.write_bytes(b"old")
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    (tmp_path / "plain").touch()
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    assert {found.name for found in tmp_path.iterdir()} == {"x.mp4", "plain"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_replacing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    """Whatever ends the writing, the old file stays, and nothing else."""
    path = tmp_path / "x.mp4"
    path.write_bytes(b"old")
    with pytest.raises(error):
        fail(path, error)
    assert [found.name for found in tmp_path.iterdir()] == ["x.mp4"]
    assert path.read_bytes() == b"old"


def fail(path: Path, error: type[BaseException]) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(b"ne")
        raise error


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    """A folder that is not there, and one where a file should be, are told before anything is made."""
    with (
        pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*none'"),
        replacing(tmp_path / "none" / "x.mp4"),
    ):
        pass
    with pytest.raises(IsADirectoryError), replacing(tmp_path):
        pass
