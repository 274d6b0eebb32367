"""export/footage/frame_rate.py"""

import numpy as np
import pytest

from export.errors import BadSource
from export.footage.frame_rate import SteadyVideo
from tests.export.recordings import grey_pictures, write_recording
from tests.export.sources import write_video


def levels(pictures):
    return [round(float(picture.mean())) for picture in pictures]


def nearest(times_s, count):
    """The index of the picture nearest to each 25th of a second, by looking at all."""
    return [int(np.argmin(np.abs(np.asarray(times_s) - index / 25))) for index in range(count)]


def test_25_fps_comes_out_as_it_is(tmp_path):
    """A video at 25 fps gives every picture once, as often as it is walked."""
    path = tmp_path / "talk.avi"
    write_video(path, grey_pictures(40))
    video = SteadyVideo(path)
    for _ in range(2):
        assert levels(video) == list(range(40))
        assert (video.left_out, video.repeated) == (0, 0)


@pytest.mark.parametrize(
    ("fps", "given", "left_out", "repeated"), [(50, 30, 30, 0), (30, 50, 10, 0), (12.5, 120, 0, 60)]
)
def test_other_rates(tmp_path, fps, given, left_out, repeated):
    """Sixty pictures at another rate last as long at 25 fps; each is the nearest in time."""
    path = tmp_path / "talk.avi"
    write_video(path, grey_pictures(60), fps)
    video = SteadyVideo(path)
    found = levels(video)
    assert len(found) == given
    times_s = np.arange(60) / fps
    apart_s = np.abs(times_s[found] - np.arange(given) / 25)
    best_s = np.abs(times_s[:, None] - np.arange(given) / 25).min(axis=0)
    np.testing.assert_allclose(apart_s, best_s, atol=1e-3)  # time stamps are whole milliseconds
    assert (video.left_out, video.repeated) == (left_out, repeated)
    assert levels(video) == found
    assert (video.left_out, video.repeated) == (left_out, repeated)  # of the last walk, not of all


def test_uneven_time_stamps(tmp_path):
    """A recording whose pictures come at uneven times, as telephones make them, is told by its time stamps."""
    times_s = np.cumsum([0.5, *[0.021, 0.062, 0.033, 0.105] * 12])
    path = tmp_path / "talk.mkv"
    write_recording(path, grey_pictures(len(times_s)), times_s)
    found = levels(SteadyVideo(path))
    assert len(found) == round((times_s[-1] - 0.5 + 0.105) * 25)
    assert found == nearest(times_s - times_s[0], len(found))


def test_one_picture(tmp_path):
    """A video of one picture gives one."""
    path = tmp_path / "talk.avi"
    write_video(path, grey_pictures(1))
    assert levels(SteadyVideo(path)) == [0]


def test_no_picture(tmp_path):
    """A file that is no video is refused when it is walked."""
    path = tmp_path / "talk.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(BadSource, match=r"expected a video that is MP4, .* got 8 bytes of something else"):
        next(iter(SteadyVideo(path)))


def test_a_pause(tmp_path):
    """A time stamp that is years ahead does not fill the avatar with one picture."""
    path = tmp_path / "talk.mkv"
    write_recording(path, grey_pictures(4), [0, 0.04, 0.08, 4000.0])
    with pytest.raises(BadSource) as caught:
        list(SteadyVideo(path))
    assert (
        str(caught.value)
        == f"{path}: expected pictures at most 5 s apart, got 3999.9 s between two, at 0.1 s"
    )


def test_a_video_of_hours(tmp_path, monkeypatch):
    """A video of more pictures than a clip may have is refused where it goes on."""
    path = tmp_path / "talk.avi"
    write_video(path, grey_pictures(40))
    monkeypatch.setattr("export.footage.frame_rate.FRAMES", 30)
    video = iter(SteadyVideo(path))
    assert len([next(video) for _ in range(30)]) == 30
    with pytest.raises(BadSource, match="expected a clip of up to 30 pictures at 25 a second, got more"):
        next(video)
