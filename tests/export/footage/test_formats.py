"""export/footage/formats.py"""

from pathlib import Path

import av
import pytest

from export.errors import BadSource
from export.footage.formats import PACKAGE_FORMATS, open_video_file
from export.footage.package_video import read_pictures
from export.footage.video import read_timed_pictures
from tests.export.recordings import grey_pictures
from tests.export.sources import smooth_picture, write_video


def write(path, codec, pixels):
    with av.open(str(path), "w") as container:
        track = container.add_stream(codec, rate=25)
        track.width, track.height, track.pix_fmt = 128, 96, pixels
        for picture in grey_pictures(3):
            container.mux(track.encode(av.VideoFrame.from_ndarray(picture, "bgr24").reformat(format=pixels)))
        container.mux(track.encode(None))


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "format_name"),
    [
        ("a.mp4", "mpeg4", "yuv420p", "mov"),
        ("a.mov", "png", "rgb24", "mov"),
        ("a.avi", "ffv1", "bgr0", "avi"),
        ("a.mkv", "ffv1", "bgr0", "matroska"),
        ("a.flv", "flv1", "yuv420p", "flv"),
        ("a.ts", "mpeg2video", "yuv420p", "mpegts"),
    ],
)
def test_containers(tmp_path, name, codec, pixels, format_name):
    """Each container is told by its first bytes, whatever it is called, and its pictures come back."""
    path = tmp_path / name
    write(path, codec, pixels)
    path = path.rename(tmp_path / "video.bin")
    with open_video_file(path) as file:
        assert file.format_name == format_name
    assert len(list(read_timed_pictures(path))) >= 2
    if format_name in PACKAGE_FORMATS:
        assert len(list(read_pictures(path, 2))) == 2


@pytest.fixture
def secret(tmp_path):
    """A video outside of a package."""
    path = tmp_path / "secret.avi"
    write_video(path, [smooth_picture(1)] * 3)
    return path


def playlists(secret):
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{secret}'\n",
    }


@pytest.mark.parametrize("kind", ["hls", "concat"])
@pytest.mark.parametrize("read", [read_timed_pictures, lambda path: read_pictures(path, 1)])
def test_playlists(tmp_path, secret, kind, read):
    """A playlist that names another file is refused, and no picture of that file comes back."""
    path = tmp_path / "full_body_video.mp4"
    path.write_text(playlists(secret)[kind])
    with pytest.raises(BadSource, match=r"expected a video that is MP4, .* bytes of something else"):
        next(read(path))


def test_a_link_that_is_swapped_in(tmp_path, secret):
    """What is read is what was looked at, whatever has its name by then."""
    path = tmp_path / "video.avi"
    write_video(path, [smooth_picture(0)] * 3)
    whole = path.read_bytes()
    with open_video_file(path) as file:
        path.unlink()
        path.symlink_to(secret)
        assert Path(file.url.removeprefix("file:")).read_bytes() == whole
