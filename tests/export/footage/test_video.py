"""export/footage/video.py"""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from export.errors import BadSource, MissingExtra
from export.footage import video
from export.footage.video import open_video, read_pictures, read_timed_pictures
from tests.export.films import skip_start, turn, write_film
from tests.export.recordings import grey_pictures, write_recording
from tests.export.sources import smooth_picture, write_video


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "video.avi"
    write_video(path, [smooth_picture(index) for index in range(4)], fps=30)
    return path


def test_header(clip):
    """Width, height and frames per second are the file's; nothing is said where nothing is changed."""
    header = open_video(clip)
    assert (header.fps, header.width, header.height, header.start_s) == (30.0, 256, 224, 0.0)
    assert header.remarks == ()


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
    expected = "a video that is MP4, MOV, AVI, MKV, WebM, FLV or TS"
    assert str(caught.value) == f"{path}: expected {expected}, got {len(content)} bytes of something else"


def test_no_file(tmp_path):
    """A missing video is named."""
    with pytest.raises(BadSource) as caught:
        list(read_pictures(tmp_path / "video.mp4", 1))
    assert str(caught.value) == f"{tmp_path / 'video.mp4'}: expected a video file, got nothing there"


def test_without_pyav(clip, monkeypatch):
    """Where PyAV is not installed, the sentence says what to install."""
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtra) as caught:
        open_video(clip)
    assert str(caught.value) == "this needs PyAV: pip install 'triton-lipsync[video]'"


def test_a_file_without_pictures(tmp_path):
    """A file of sound alone says that it has no pictures."""
    path = tmp_path / "talk.mkv"
    write_recording(path, grey_pictures(1), [0])
    path.write_bytes(path.read_bytes().replace(b"V_FFV1", b"V_NONE"))
    with pytest.raises(BadSource) as caught:
        open_video(path)
    assert str(caught.value) == f"{path}: expected a video track that FFmpeg can decode, got none"


def test_a_header_without_a_sensible_rate(clip):
    """A rate that no camera has is taken for the model's own 25."""
    write_video(clip, [smooth_picture(0)], fps=1000)
    assert open_video(clip).fps == 25.0


def test_timed_pictures(clip):
    """Every picture comes with the time it is shown at."""
    times_s, pictures = zip(*read_timed_pictures(clip), strict=True)
    np.testing.assert_allclose(times_s, np.arange(4) / 30, atol=1e-3)
    np.testing.assert_array_equal(pictures, [smooth_picture(index) for index in range(4)])


def test_a_container_without_time_stamps(clip, monkeypatch):
    """Where no picture has a time stamp, they are as far apart as the header's rate says."""
    decode = video.decode

    def timeless(*arguments):
        for frame in decode(*arguments):
            frame.pts = None
            yield frame

    monkeypatch.setattr(video, "decode", timeless)
    times_s = [time_s for time_s, _ in read_timed_pictures(clip)]
    np.testing.assert_allclose(times_s, np.arange(4) / 30)


@pytest.mark.parametrize("reader", [open_video, lambda path: list(read_timed_pictures(path))])
def test_a_video_without_pictures(clip, monkeypatch, reader):
    """A video of which no picture can be decoded says so."""
    monkeypatch.setattr(video, "decode", lambda *arguments: iter(()))
    with pytest.raises(BadSource) as caught:
        reader(clip)
    assert str(caught.value) == f"{clip}: expected a video of at least 1 frame, got none that can be decoded"


def test_a_video_that_changes_its_size(clip, monkeypatch):
    """A video whose pictures become of another size on the way says when."""
    decode = video.decode

    def growing(*arguments):
        for index, frame in enumerate(decode(*arguments)):
            yield frame.reformat(width=320) if index == 3 else frame

    monkeypatch.setattr(video, "decode", growing)
    with pytest.raises(BadSource) as caught:
        list(read_timed_pictures(clip))
    assert str(caught.value) == f"{clip}: expected pictures of one size, 256x224, got 320x224 from 0.10 s on"


def test_colours_that_cannot_be_converted(clip, monkeypatch):
    """Pictures whose colours FFmpeg cannot convert are refused with what they are."""

    class Foreign:
        """A frame of colours that nobody knows."""

        def __init__(self, frame):
            self.frame, self.colorspace = frame, 14

        def __getattr__(self, name):
            return getattr(self.frame, name)

        def to_ndarray(self, **arguments):
            raise av.error.InvalidDataError(1, "unsupported")

    decode = video.decode
    monkeypatch.setattr(video, "decode", lambda *arguments: map(Foreign, decode(*arguments)))
    with pytest.raises(BadSource) as caught:
        next(read_pictures(clip, 1))
    expected = "pictures whose colours FFmpeg can convert"
    assert str(caught.value) == f"{clip}: expected {expected}, got bgra of colour space 14"


@pytest.mark.parametrize("name", ["talk-12:30.mov", "http:talk.mov", "a%03d#b?.mov"])
def test_a_name_that_looks_like_a_protocol(tmp_path, monkeypatch, name):
    """FFmpeg, which takes what stands before a colon for a protocol, sees a file."""
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    write_film(tmp_path / "talk.mov", grey_pictures(3))
    (tmp_path / "talk.mov").rename(path)
    assert len(list(read_pictures(path, 3))) == 3


def test_pictures_are_turned_and_stretched(tmp_path):
    """What the header says about turning and pixels is done to every picture, and said."""
    path, picture = tmp_path / "talk.mov", smooth_picture(1, 120, 80)
    write_film(path, [picture] * 2, aspect=Fraction(3, 2))
    turn(path, 0, 1, -1, 0)
    header = open_video(path)
    assert (header.width, header.height) == (80, 180)
    assert [remark.text for remark in header.remarks] == [
        "pictures turned by 90 degrees clockwise, as players show them",
        "its pixels are not square: pictures stretched from 120x80 to 180x80, as players show them",
    ]
    assert [shown.shape for shown in read_pictures(path, 2)] == [(180, 80, 3)] * 2
    assert [shown.shape for _, shown in read_timed_pictures(path)] == [(180, 80, 3)] * 2


def test_pictures_whose_landmarks_count_stored_pixels(tmp_path):
    """Without square pixels, pictures are turned and not stretched, and that is said."""
    path, picture = tmp_path / "talk.mov", smooth_picture(1, 120, 80)
    write_film(path, [picture], aspect=Fraction(1, 2))
    turn(path, -1, 0, 0, -1)
    header = open_video(path, square_pixels=False)
    assert (header.width, header.height) == (120, 80)
    assert header.remarks[1].text == (
        "its pixels are not square: pictures left at 120x80, as landmarks count stored pixels, "
        "where players show 120x160"
    )
    np.testing.assert_array_equal(next(read_pictures(path, 1, square_pixels=False)), picture[::-1, ::-1])


def test_what_an_edit_list_skips(tmp_path):
    """Pictures that players skip at the start are skipped."""
    path = tmp_path / "talk.mov"
    write_film(path, grey_pictures(30))
    skip_start(path, 10 * 512)
    levels = [round(float(picture.mean())) for _, picture in read_timed_pictures(path)]
    assert levels == list(range(10, 30))
    assert open_video(path).start_s == 0


@pytest.mark.parametrize(
    ("colours", "red", "blue"), [(1, 1.5748, 1.8556), (6, 1.402, 1.772), (9, 1.4746, 1.8814)]
)
def test_colours(tmp_path, colours, red, blue):
    """Colours are those of the matrix that the file names: BT.709, BT.601 or BT.2020."""
    path = tmp_path / "talk.mkv"
    with av.open(str(path), "w") as container:
        track = container.add_stream("ffv1", rate=25)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        track.codec_context.colorspace = colours
        planes = [np.full((48, 64), 120, np.uint8), np.full((24, 32), 150, np.uint8)]
        frame = av.VideoFrame.from_ndarray(
            np.concatenate([planes[0].ravel(), planes[1].ravel(), planes[1].ravel()]).reshape(72, 64),
            "yuv420p",
        )
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    picture = next(read_pictures(path, 1))
    luma, chroma = (120 - 16) / 219 * 255, (150 - 128) / 224 * 255
    np.testing.assert_allclose(picture[..., 2], luma + red * chroma, atol=1.5)
    np.testing.assert_allclose(picture[..., 0], luma + blue * chroma, atol=1.5)


def test_pictures_that_are_too_large(tmp_path):
    """A header that claims pictures of more pixels than can be held is refused before one is decoded."""
    path = tmp_path / "talk.mov"
    write_film(path, [smooth_picture(0, 9000, 16)])
    with pytest.raises(BadSource, match=r"8192 pixels a side, 36 million in all, got 9000x16$"):
        open_video(path)
