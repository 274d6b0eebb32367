"""export/footage/container.py"""

import sys

import av
import pytest

from export.errors import BadSource, MissingExtra
from export.footage.container import decode, open_container, packets, shown_track
from tests.export.films import write_film
from tests.export.recordings import beeps, grey_pictures


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "talk.mov"
    write_film(path, grey_pictures(20), [beeps(0.8, 16_000)] * 2, default=1)
    return path


def test_what_cannot_be_opened(tmp_path):
    """A file that is not there, or is no video, is named."""
    path = tmp_path / "talk.mp4"
    with pytest.raises(BadSource, match=r"talk\.mp4: expected a video file, got nothing there$"):
        open_container(path).__enter__()
    path.write_bytes(b"no video")
    with pytest.raises(
        BadSource, match=r"expected a video that is MP4, .* or TS, got 8 bytes of something else$"
    ):
        open_container(path).__enter__()


def test_without_pyav(film, monkeypatch):
    """Where PyAV is not installed, the sentence says what to install."""
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtra, match=r"^this needs PyAV: pip install 'triton-lipsync\[video\]'$"):
        open_container(film).__enter__()


def test_tags_in_another_encoding(tmp_path):
    """Tags that are not UTF-8 are no reason to refuse a file."""
    path = tmp_path / "talk.avi"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Geschwatz"
        track = container.add_stream("ffv1", rate=25)
        track.width, track.height, track.pix_fmt = 128, 96, "bgr0"
        container.mux(track.encode(av.VideoFrame.from_ndarray(grey_pictures(1)[0], "bgr24")))
        container.mux(track.encode(None))
    path.write_bytes(path.read_bytes().replace(b"Geschwatz", b"Geschw\xe4tz"))
    with open_container(path) as container:
        assert len(list(decode(container, container.streams.video[0]))) == 1


def test_the_shown_track(film):
    """The track that players take is the first that is marked as default, else the first; of none, none."""
    with open_container(film) as container:
        assert shown_track(container.streams.audio).index == 2
        assert shown_track(container.streams.audio[:1]).index == 1
        assert shown_track([]) is None


class Packet:
    """A packet that holds some frames, or cannot be decoded."""

    def __init__(self, *frames, size=1, dts=0, broken=False):
        self.frames, self.size, self.dts, self.broken = frames, size, dts, broken

    def decode(self):
        if self.broken:
            raise av.error.InvalidDataError(1, "broken")
        return self.frames


class Container:
    """A file of some packets, that may break off."""

    def __init__(self, *packets, breaks_off=False):
        self.packets, self.breaks_off = packets, breaks_off

    def demux(self, *tracks):
        yield from self.packets
        if self.breaks_off:
            raise av.error.InvalidDataError(1, "broken off")


def test_what_is_broken_is_passed_over():
    """Packets that cannot be decoded, or are empty, do not end the pictures after them; the last ones come out."""
    end = Packet("d", size=0, dts=None)
    container = Container(Packet("a", "b"), Packet(broken=True), Packet("x", size=0), Packet("c"), end)
    assert list(decode(container, None)) == ["a", "b", "c", "d"]


def test_a_file_that_breaks_off():
    """What cannot be read any further ends there."""
    assert len(list(packets(Container(Packet(), Packet(), breaks_off=True), None))) == 2


def test_pictures_past_the_bound(film, monkeypatch):
    """A picture of more pixels than the bound is never decoded, whatever the header says of its size."""
    monkeypatch.setattr("export.footage.container.PICTURE_PIXELS", 100)
    with open_container(film) as container:
        assert list(decode(container, container.streams.video[0])) == []
