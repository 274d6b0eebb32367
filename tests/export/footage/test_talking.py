"""export/footage/talking.py"""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from demo.face import FaceRenderer
from demo.landmarks import crop_bounds, landmarks
from export.errors import BadCheckpoint, BadSource, MissingFaceModels
from export.footage.clip import Remark
from export.footage.detect import MediaPipeFaceFinder
from export.footage.talking import features_reader, open_talking_video
from export.network.audio_encoder import AveEncoder
from speech.errors import BadSound
from tests.character import spoken_poses
from tests.export.cases import CASES
from tests.export.films import skip_start, turn, write_film
from tests.export.recordings import beeps, write_recording
from tests.export.sources import smooth_picture, speech_features

FRAMES = 50


class Finder:
    """Finds a face that moves right, and half as fast down, in pixels per picture; in some it finds none."""

    def __init__(self, without=(), speed=1):
        self.without, self.speed, self.asked = set(without), speed, 0

    def find(self, picture, *, anew=False):
        index, self.asked = self.asked, self.asked + 1
        way = self.speed * index
        found = [] if index in self.without else [[40.0 + way, 140.0 + way, 30 + way / 2]]
        return np.array(found).reshape(-1, 3)


def one_shot(frames, *size):
    """Return pictures of a pan over one soft scene."""
    return [np.roll(smooth_picture(1, *size), 3 * index, axis=1) for index in range(frames)]


def read_features(samples, source):
    """Stand in for the encoder: as many vectors as it gives, which is one less than frames."""
    assert samples.dtype == np.float32
    assert 0.1 < np.abs(samples).max() <= 1.0
    return speech_features(len(samples) // 640 - 1)


@pytest.fixture
def record(tmp_path):
    """Write a recording of one shot at a frame rate, with beeps."""

    def write(fps=25.0, frames=FRAMES, sound_s=None):
        path = tmp_path / "talk.mkv"
        pictures = one_shot(frames)
        write_recording(path, pictures, np.arange(frames) / fps, beeps(sound_s or frames / fps))
        return path, pictures

    return write


def test_frames_of_a_recording(record):
    """Each frame is cut where its face was found, told to whole pixels, and keeps its full picture."""
    path, pictures = record()
    footage = open_talking_video(path, Finder(), read_features)
    assert (footage.kind, footage.name, footage.fps, footage.frame_count) == (
        "video",
        "talk.mkv",
        25.0,
        FRAMES,
    )
    assert footage.audio_features.shape == (FRAMES - 1, 512)
    assert footage.sound.shape == (FRAMES * 640,)
    assert np.abs(footage.sound.astype(int)).max() > 7600
    frames = list(footage.frames)
    assert len(frames) == FRAMES
    for index in range(10, 40, 2):  # a steady motion passes the smoothing as it is, away from the ends
        x, y = 40 + index, 30 + index // 2
        np.testing.assert_array_equal(frames[index].bounds, [x, y, x + 100, y + 100])
        crop = cv2.resize(
            pictures[index][y : y + 100, x : x + 100], (328, 328), interpolation=cv2.INTER_CUBIC
        )
        np.testing.assert_array_equal(frames[index].face, crop[4:324, 4:324])
        full = cv2.imdecode(np.frombuffer(frames[index].full_jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert np.abs(full.astype(int) - pictures[index]).mean() < 3
    assert footage.remarks == ()


def test_resampling_and_gaps_are_reported(record):
    """What was resampled and which frames were bridged is said, with counts."""
    path, _ = record(fps=50, frames=100)
    footage = open_talking_video(path, Finder({3, 20, 21, 22, 49}), read_features)
    assert footage.frame_count == len(list(footage.frames)) == 50
    assert footage.remarks == (
        Remark(
            "resampled to 25 frames per second by time stamps: 50 frames, 50 pictures left out, 0 repeated"
        ),
        Remark("no face in 5 of 50 frames (3, 20-22, 49), bridged", (3, 20, 21, 22, 49)),
    )


def test_many_gaps_are_not_all_listed(record):
    """Of many gaps the first eight are listed."""
    path, _ = record()
    footage = open_talking_video(path, Finder(range(1, 40, 2)), read_features)
    expected = "no face in 20 of 50 frames (1, 3, 5, 7, 9, 11, 13, 15, …), bridged"
    assert footage.remarks == (Remark(expected, tuple(range(1, 40, 2))),)


def test_a_face_that_is_away_too_long(record):
    """A longer gap is refused before any feature is computed."""
    path, _ = record()
    with pytest.raises(BadSource) as caught:
        open_talking_video(path, Finder(range(7, 17)), None)
    assert str(caught.value) == (
        f"{path}: expected a face in every frame, but for gaps of up to 5, got none in 10 of 50 frames; "
        "the first gap that is longer begins at frame 7 and lasts 10"
    )


def test_half_the_sound_is_missing(record):
    """Sound that ends long before the pictures is refused."""
    path, _ = record(sound_s=0.6)
    with pytest.raises(BadSource, match=r"expected 2\.00 s of sound like of pictures .* got 0\.60 s"):
        open_talking_video(path, Finder(), read_features)


def test_what_is_wrong_with_the_sound_names_the_video(record):
    """An error about the sound is told of the video that it is from."""
    path, _ = record()

    def refuse(samples, source):
        raise BadSound(source, "speech", "music")

    with pytest.raises(BadSound) as caught:
        open_talking_video(path, Finder(), refuse)
    assert str(caught.value) == f"{path}: expected speech, got music"


def test_features_of_another_length(record):
    """Features that are not of this clip are refused."""
    path, _ = record()
    with pytest.raises(BadSource, match=r"got 50 pictures .*, 40 feature vectors and 2\.00 s of sound"):
        open_talking_video(path, Finder(), lambda samples, source: speech_features(40))


def test_a_face_at_the_edge_names_its_frame(record):
    """A crop of which too little lies in the picture says in which frame."""
    path, _ = record(frames=60)
    footage = open_talking_video(path, Finder(speed=4), read_features)
    with pytest.raises(BadSource, match=r"at least 32 pixels .* got \[\d+, \d+, \d+, \d+\] in frame 47"):
        list(footage.frames)


def test_no_such_video(tmp_path):
    """A video that is not there is said to be not there."""
    with pytest.raises(BadSource, match=r"talk\.mp4: expected a video file, got nothing there"):
        open_talking_video(tmp_path / "talk.mp4", Finder(), read_features)


def test_a_download_that_broke_off():
    """A video whose header counts more pictures than are there is refused with both counts, before all else."""
    path = CASES / "cut_fs.mp4"
    with pytest.raises(BadSource) as caught:
        open_talking_video(path, None, None)
    assert str(caught.value) == (
        f"{path}: expected a whole video of 250 pictures, as its header counts, got 131"
    )


def test_what_its_header_says(tmp_path):
    """A film is taken as players show it: turned, stretched, from its edit list's beginning, with the default track."""
    path = tmp_path / "talk-12:30.mov"
    pictures = one_shot(70, 240, 200)
    sound = beeps(2.8, 16_000)
    write_film(
        path, [picture[::-1, ::-1] for picture in pictures], [np.zeros_like(sound), sound], 1, Fraction(4, 3)
    )
    turn(path, -1, 0, 0, -1)
    skip_start(path, 20 * 512, 0, round(0.8 * 16_000))
    footage = open_talking_video(path, Finder(), read_features)
    assert [remark.text for remark in footage.remarks] == [
        "pictures turned by 180 degrees, as players show them",
        "its pixels are not square: pictures stretched from 240x200 to 320x200, as players show them",
        "2 sound tracks, of which number 2 was taken, the default one",
    ]
    assert footage.frame_count == 50
    np.testing.assert_array_equal(footage.sound, sound[round(0.8 * 16_000) :])
    first = cv2.imdecode(np.frombuffer(next(footage.frames).full_jpeg, np.uint8), cv2.IMREAD_COLOR)
    expected = cv2.resize(pictures[20], (320, 200), interpolation=cv2.INTER_CUBIC)
    assert np.abs(first.astype(int) - expected).mean() < 3


def test_features_reader(tmp_path):
    """The features are those of the encoder file: one vector of 512 a frame, for two seconds about 50."""
    torch.save(AveEncoder().state_dict(), tmp_path / "audio_encoder.pth")
    sound = beeps(2.0, 16_000).astype(np.float32).reshape(-1) / 32768
    features = features_reader(tmp_path / "audio_encoder.pth")(sound, tmp_path / "talk.mp4")
    assert features.shape[1] == 512
    assert abs(len(features) - 50) <= 2


def test_an_encoder_that_is_not_there(tmp_path):
    """The encoder's file is read at once, before minutes are spent on the face."""
    with pytest.raises(BadCheckpoint, match="got nothing there"):
        features_reader(Path(tmp_path / "audio_encoder.pth"))


def test_the_drawn_character_end_to_end(tmp_path):
    """The demo's character, recorded and found again, gives crops that hold the true mouth and chin in all frames."""
    try:
        finder = MediaPipeFaceFinder()
    except MissingFaceModels as exc:
        pytest.skip(str(exc))
    clip, path = spoken_poses(25), tmp_path / "talk.mkv"
    renderer = FaceRenderer(256)
    write_recording(path, [renderer.draw(pose) for pose in clip], np.arange(25) / 25, beeps(1.0))
    footage = open_talking_video(path, finder, read_features)
    bounds = np.array([frame.bounds for frame in footage.frames])
    for (x1, y1, x2, y2), pose in zip(bounds, clip, strict=True):
        points = landmarks(pose, 256)
        for x, y in points[[16, *range(76, 96)]]:  # chin and lips
            assert x1 + 10 < x < x2 - 10
            assert y1 + 10 < y < y2 - 5
    truth = np.array([crop_bounds(landmarks(pose, 256)) for pose in clip])
    assert np.abs(bounds - truth).max() < 20
    assert np.abs(np.diff(bounds, 2, axis=0)).max() <= 2  # in whole pixels: no shaking
    assert footage.remarks == ()


@pytest.fixture
def bounds_of():
    """Return the crops' bounds of one of the cases, as found, and what is said about it."""

    def find(name):
        pytest.importorskip("av")
        try:
            finder = MediaPipeFaceFinder()
        except MissingFaceModels as exc:
            pytest.skip(str(exc))
        footage = open_talking_video(
            CASES / name, finder, lambda samples, source: speech_features(len(samples) // 640)
        )
        return np.array([frame.bounds for frame in footage.frames]), footage.remarks

    return find


def test_crops_jump_with_a_cut(bounds_of):
    """Before and after a cut the crop sits on the face in every frame, and it is said where the cut is."""
    bounds, remarks = bounds_of("cutscene_small.mp4")
    np.testing.assert_allclose(bounds[:63], [[83, 151, 238, 306]] * 63, atol=6)
    np.testing.assert_allclose(bounds[63:], [[479, 139, 557, 217]] * 37, atol=4)
    assert remarks == (
        Remark("a cut, before frame 63: each shot is smoothed on its own", (63,)),
        Remark(
            "the face followed was chosen anew in frame 63, by place and size: is it the same person?", (63,)
        ),
    )


def test_the_same_person_throughout(bounds_of):
    """While the face of the larger of two people is hidden, the crop stays with that person, and it is said when."""
    bounds, remarks = bounds_of("two_hidden_small.mp4")
    np.testing.assert_allclose(bounds, [[99, 183, 285, 369]] * 90, atol=6)
    assert remarks == (
        Remark("2 faces in frame 0: the largest is followed", (0,)),
        Remark("no face of the person followed in 3 of 90 frames (60-62), bridged", (60, 61, 62)),
    )
