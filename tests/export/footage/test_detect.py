"""export/footage/detect.py"""

import importlib.machinery
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from demo.face import FaceRenderer
from demo.landmarks import landmarks
from export.errors import MissingFaceModels
from export.footage import detect
from export.footage.detect import MediaPipeFaceFinder, find_models
from tests.character import spoken_poses
from tests.export.recordings import astronaut

COLLINS = {"face": (178, 271), "bridge": 105}
"""Where the astronaut's face meets her hair at the ears, and the bridge of her nose, seen in the picture."""


@pytest.fixture
def finder():
    """A finder that has seen nothing yet."""
    try:
        return MediaPipeFaceFinder()
    except MissingFaceModels as exc:
        pytest.skip(str(exc))


def find_one(finder, picture, **how):
    """The marks of the one face in a picture."""
    (marks,) = finder.find(picture, **how)
    return marks


def check_collins(marks, corner=(0, 0), scale=1.0, tolerance_px=5):
    left, right, top = marks
    expected = np.array([*COLLINS["face"], COLLINS["bridge"]]) * scale + [corner[0], corner[0], corner[1]]
    np.testing.assert_allclose([left, right, top], expected, atol=tolerance_px)


def shrunk(picture, times):
    """Every ``times`` pixels averaged."""
    height, width = (length // times for length in picture.shape[:2])
    return picture.reshape(height, times, width, times, 3).mean(axis=(1, 3)).astype(np.uint8)


def test_a_photograph(finder):
    """In a photograph the marks lie where the face meets the ears and on the bridge of the nose."""
    check_collins(find_one(finder, astronaut()))


def test_a_small_face_in_a_wide_picture(finder):
    """A face of 45 pixels in a 1280x720 picture is found, too."""
    picture = np.full((720, 1280, 3), 90, np.uint8)
    picture[300:556, 700:956] = shrunk(astronaut(), 2)
    check_collins(find_one(finder, picture), (700, 300), 0.5, 4)


@pytest.mark.parametrize("degrees", [-20, 20])
def test_a_tilted_head(finder, degrees):
    """With the head tilted, the marks go with it."""
    turn = cv2.getRotationMatrix2D((225, 130), degrees, 1)
    left, right, bridge = np.array([(178, 113, 1), (271, 115, 1), (224, 105, 1)]) @ turn.T
    marks = find_one(finder, cv2.warpAffine(astronaut(), turn, (512, 512)))
    np.testing.assert_allclose(marks, [left[0], right[0], bridge[1]], atol=6)


@pytest.mark.parametrize("kind", ["black", "noise"])
def test_no_face(finder, kind):
    """Where no face is, none is found."""
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    assert finder.find(noise * (kind == "noise")).shape == (0, 3)


def test_the_drawn_character(finder):
    """In the demo's clip, whose landmarks are known, the marks follow the head: within 12 % of the face's width."""
    renderer = FaceRenderer(512)
    errors, widths = [], []
    for pose in spoken_poses(60)[::4]:
        points = landmarks(pose)
        truth = np.array([points[1, 0], points[31, 0], points[52, 1]])
        errors.append(find_one(finder, renderer.draw(pose)) - truth)
        widths.append(truth[1] - truth[0])
    assert np.abs(errors).max() < 0.12 * np.mean(widths)
    assert np.std(errors, axis=0).max() < 2  # the rest is where exactly a face's outline is said to be


def placed(*portraits, size=(512, 768)):
    """A grey picture with portraits in it: x, y, side of each."""
    picture = np.full((*size, 3), 90, np.uint8)
    for x, y, side in portraits:
        portrait = cv2.resize(astronaut()[:256, 96:352], (side, side), interpolation=cv2.INTER_AREA)
        picture[y : y + side, x : x + side] = portrait
    return picture


def where(faces):
    """Which portrait's x each face lies right of: none lies over two."""
    return [round(float(left)) // 256 * 256 for left, right, _ in faces if right // 256 == left // 256]


def test_all_faces_the_largest_first(finder):
    """All faces of a picture are found, once each, the largest first."""
    faces = finder.find(placed((512, 200, 128), (0, 0, 256), (270, 40, 200)))
    assert where(faces) == [0, 256, 512]
    assert (np.diff([right - left for left, right, _ in faces]) < -10).all()


def test_a_small_face_beside_a_large_one(finder):
    """A face too small for the whole picture is found in a part of it."""
    assert where(finder.find(placed((0, 0, 256), (1080, 200, 160), size=(540, 1280)))) == [0, 1024]


def test_faces_are_told_apart_while_one_is_hidden(finder):
    """While one of two is hidden nothing is found in its place, and both are when it shows again, a little moved."""
    assert where(finder.find(placed((0, 0, 256), (256, 100, 200)))) == [0, 256]
    for _ in range(5):
        assert where(finder.find(placed((256, 100, 200)))) == [256]
    assert sorted(where(finder.find(placed((0, 10, 250), (256, 100, 200))))) == [0, 256]


def test_who_comes_in_is_seen_within_a_second(finder):
    """A face that appears beside one that stays is found in one of the next 25 pictures."""
    alone, both = placed((0, 0, 256)), placed((0, 0, 256), (512, 200, 200))
    assert len(finder.find(alone)) == 1
    assert [len(finder.find(both)) for _ in range(25)][-1] == 2


def test_a_shot_begins(finder):
    """At the beginning of a shot every face is found at once, the largest first again."""
    finder.find(placed((0, 0, 256)))
    assert where(finder.find(placed((0, 0, 200), (512, 100, 256)), anew=True)) == [512, 0]


def test_a_face_that_went_is_found_again(finder):
    """After a picture without a face, the face is found in another place."""
    picture = np.full((512, 1024, 3), 90, np.uint8)
    there = picture.copy()
    picture[:, :512], there[:, 512:] = astronaut(), astronaut()
    check_collins(find_one(finder, picture))
    assert len(finder.find(np.zeros_like(picture))) == 0
    check_collins(find_one(finder, there), (512, 0))


@pytest.mark.parametrize("installed", ["nothing", "a wheel without models"])
def test_without_models(tmp_path, monkeypatch, installed):
    """Without MediaPipe's wheel, or with a later one that carries no models, the sentence says what to install."""
    spec = importlib.machinery.ModuleSpec("mediapipe", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    found = None if installed == "nothing" else spec
    monkeypatch.setattr(detect.importlib.util, "find_spec", lambda name: found)
    with pytest.raises(MissingFaceModels):
        find_models()


def test_where_the_models_are(tmp_path, monkeypatch):
    """The models are taken from the installed wheel's folder, wherever that is."""
    spec = importlib.machinery.ModuleSpec("mediapipe", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    for name in ("face_detection/face_detection_short_range.tflite", "face_landmark/face_landmark.tflite"):
        path = tmp_path / "modules" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    monkeypatch.setattr(detect.importlib.util, "find_spec", lambda name: spec)
    assert find_models() == Path(tmp_path) / "modules"


def test_models_need_no_dependencies(finder):
    """The detector is run by OpenCV: MediaPipe's own package is never imported."""
    finder.find(np.zeros((64, 64, 3), np.uint8))
    assert "mediapipe" not in sys.modules
