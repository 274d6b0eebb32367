"""export/footage/marked_video.py"""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.marked_video import open_video_with_landmarks
from tests.export.films import turn, write_film
from tests.export.recordings import beeps, write_recording
from tests.export.sources import FRAMES, speech_features, write_video, write_video_source


def open_video_source(source):
    folder = source.folder
    return open_video_with_landmarks(
        folder / "video.avi", folder / "landmarks", folder / "features.npy", "ave"
    )


def refused(opener, *arguments):
    with pytest.raises(BadSource) as caught:
        opener(*arguments)
    return str(caught.value)


def test_video(tmp_path):
    """A video's frames are the independent crops of its pictures; its own rate is kept, its pictures become JPEGs."""
    source = write_video_source(tmp_path / "clip", fps=30)
    footage = open_video_source(source)
    frames = list(footage.frames)
    assert (footage.kind, footage.name, footage.fps, footage.frame_count) == (
        "video",
        "video.avi",
        30.0,
        FRAMES,
    )
    np.testing.assert_array_equal(footage.audio_features, source.features)
    np.testing.assert_array_equal([frame.face for frame in frames], source.faces)
    np.testing.assert_array_equal([frame.bounds for frame in frames], source.squares)
    for frame, picture in zip(frames, source.pictures, strict=True):
        decoded = cv2.imdecode(np.frombuffer(frame.full_jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert cv2.PSNR(decoded, picture) > 35


def test_a_video_brings_its_track(video_source):
    """The sound of a video with landmarks is its own track's, and none where it has none."""
    assert open_video_source(video_source).sound.size == 0
    path = video_source.folder / "video.mkv"
    write_recording(path, video_source.pictures, np.arange(FRAMES) / 25, beeps(0.24, 16_000), 16_000)
    path.rename(video_source.folder / "video.avi")
    np.testing.assert_array_equal(open_video_source(video_source).sound, beeps(0.24, 16_000))


def test_what_its_header_says(video_source):
    """Pictures are turned as players show them, left as wide as they are stored, and the sound's remarks come along."""
    path = video_source.folder / "video.mov"
    sound = beeps(0.24, 16_000)
    stored = [picture[::-1, ::-1] for picture in video_source.pictures]
    write_film(path, stored, [sound, sound], default=1, aspect=Fraction(4, 3))
    turn(path, -1, 0, 0, -1)
    path.rename(video_source.folder / "video.avi")
    footage = open_video_source(video_source)
    np.testing.assert_array_equal([frame.face for frame in footage.frames], video_source.faces)
    assert [remark.text for remark in footage.remarks] == [
        "pictures turned by 180 degrees, as players show them",
        "its pixels are not square: pictures left at 256x224, as landmarks count stored pixels, "
        "where players show 341x224",
        "2 sound tracks, of which number 2 was taken, the default one",
    ]


def test_a_video_shorter_than_its_landmarks(video_source):
    """A video that ends before its landmarks do is refused with both counts."""
    path = video_source.folder / "video.avi"
    write_video(path, video_source.pictures[:4])
    footage = open_video_source(video_source)
    assert refused(list, footage.frames) == (
        f"{path}: expected a video of at least {FRAMES} frames, got 4 that can be decoded"
    )


def test_counts_that_differ(video_source):
    """Landmarks and features of different clips do not go together."""
    np.save(video_source.folder / "features.npy", speech_features(50))
    assert refused(open_video_source, video_source) == (
        f"{video_source.folder / 'video.avi'}: expected pictures, feature vectors (one a picture) and sound of one "
        f"length, got {FRAMES} pictures (0.24 s at 25 a second), 50 feature vectors and no sound"
    )
