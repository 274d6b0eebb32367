"""export/footage/video.py"""

import cv2
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.video import VideoProperties, open_video, read_pictures, read_timed_pictures
from tests.export.sources import smooth_picture, write_video


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "video.avi"
    write_video(path, [smooth_picture(index) for index in range(4)], fps=30)
    return path


def test_header(clip):
    """Width, height and frames per second are the file's."""
    assert open_video(clip) == VideoProperties(fps=30.0, width=256, height=224)


def test_pictures_come_in_order(clip):
    """Each picture equals what was written, in BGR."""
    pictures = list(read_pictures(clip, 4))
    assert len(pictures) == 4
    for index, picture in enumerate(pictures):
        np.testing.assert_array_equal(picture, smooth_picture(index))


def test_only_as_many_as_asked(clip):
    """A longer video is read up to the count."""
    assert len(list(read_pictures(clip, 3))) == 3


def test_a_video_that_ends_early(clip):
    """A video shorter than the count yields what it has, then says how much that was."""
    pictures = read_pictures(clip, 6)
    assert [next(pictures).shape for _ in range(4)] == [(224, 256, 3)] * 4
    with pytest.raises(BadSource) as caught:
        next(pictures)
    assert str(caught.value) == f"{clip}: expected a video of at least 6 frames, got 4 that can be decoded"


def test_a_cut_video(clip):
    """A video cut in the middle says how many frames it still has."""
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with pytest.raises(BadSource, match=r"at least 4 frames, got [123] that can be decoded$"):
        list(read_pictures(clip, 4))


@pytest.mark.parametrize("content", [b"", b"not a video at all"])
def test_no_video(tmp_path, content):
    """Bytes that are no video are refused with their number."""
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    with pytest.raises(BadSource) as caught:
        open_video(path)
    expected = "a video that FFmpeg can decode"
    assert str(caught.value) == f"{path}: expected {expected}, got {len(content)} bytes it cannot"


def test_no_file(tmp_path):
    """A missing video is named."""
    with pytest.raises(BadSource) as caught:
        list(read_pictures(tmp_path / "video.mp4", 1))
    assert str(caught.value) == f"{tmp_path / 'video.mp4'}: expected a video file, got nothing there"


def test_a_header_without_a_sensible_rate(clip):
    """A rate that no camera has is taken for the model's own 25."""
    write_video(clip, [smooth_picture(0)], fps=1000)
    assert open_video(clip).fps == 25.0


def test_timed_pictures(clip):
    """Every picture comes with the time it is shown at."""
    times_s, pictures = zip(*read_timed_pictures(clip), strict=True)
    np.testing.assert_allclose(times_s, np.arange(4) / 30, atol=1e-3)
    np.testing.assert_array_equal(pictures, [smooth_picture(index) for index in range(4)])


class Altered:
    """An OpenCV capture of which some methods are replaced; OpenCV's own class cannot be derived from."""

    def __init__(self, capture, **methods):
        self.capture = capture
        self.__dict__.update(methods)

    def __getattr__(self, name):
        return getattr(self.capture, name)


def test_a_container_without_time_stamps(clip, monkeypatch):
    """Where every time stamp is zero, the pictures are as far apart as the header's rate says."""
    capture = cv2.VideoCapture

    def timeless(*arguments):
        real = capture(*arguments)
        return Altered(real, get=lambda name: 0.0 if name == cv2.CAP_PROP_POS_MSEC else real.get(name))

    monkeypatch.setattr(cv2, "VideoCapture", timeless)
    times_s = [time_s for time_s, _ in read_timed_pictures(clip)]
    np.testing.assert_allclose(times_s, np.arange(4) / 30)


def test_a_video_without_pictures(clip, monkeypatch):
    """A video of which no picture can be decoded says so."""
    capture = cv2.VideoCapture

    def blind(*arguments):
        return Altered(capture(*arguments), read=lambda: (False, None))

    monkeypatch.setattr(cv2, "VideoCapture", blind)
    with pytest.raises(BadSource) as caught:
        next(read_timed_pictures(clip))
    assert str(caught.value) == f"{clip}: expected a video of at least 1 frame, got none that can be decoded"
