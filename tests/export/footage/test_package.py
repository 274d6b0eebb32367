"""export/footage/package.py"""

import json

import cv2
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.package import open_package
from tests.export.sources import FRAMES, edit_json, smooth_picture, speech_features, write_video

INFO = "package_info.json"
RECTANGLES = "cache/crop_rectangles.json"


def refusal(package):
    with pytest.raises(BadSource) as caught:
        open_package(package.folder, "ave")
    assert "\n" not in str(caught.value)
    assert caught.value.path.is_relative_to(package.folder)
    return f"{caught.value.path.relative_to(package.folder)}: {str(caught.value).partition(': ')[2]}"


def test_package(package):
    """Faces come from the 320 video, squares from the rectangles, full pictures from the full video."""
    footage = open_package(package.folder, "ave")
    frames = list(footage.frames)
    assert (footage.kind, footage.name, footage.fps, footage.frame_count) == (
        "package",
        "sanders",
        25.0,
        FRAMES,
    )
    np.testing.assert_array_equal(footage.sound, package.sound)
    np.testing.assert_array_equal([frame.face for frame in frames], package.faces)
    np.testing.assert_array_equal([frame.bounds for frame in frames], package.squares)
    for frame, picture in zip(frames, package.pictures, strict=True):
        decoded = cv2.imdecode(np.frombuffer(frame.full_jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert cv2.PSNR(decoded, picture) > 35


def test_one_vector_less_than_frames(package):
    """Features that lack the last frame's vector, as published packages' do (522 for 523), are taken as they are."""
    features = open_package(package.folder, "ave").audio_features
    assert features.shape == (FRAMES - 1, 512)
    np.testing.assert_array_equal(features, package.features)


def test_its_own_weights(package):
    """A checkpoint folder comes along where there is one."""
    assert open_package(package.folder, "ave").checkpoint is None
    (package.folder / "checkpoint").mkdir()
    assert open_package(package.folder, "ave").checkpoint == package.folder / "checkpoint"


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        (("videos",), None, "videos.full_body_video with video_file, frame_count and fps"),
        (("videos", "full_body_video"), {}, "videos.full_body_video with video_file, frame_count and fps"),
        (
            ("videos", "rois_320_video", "video_file"),
            5,
            "videos.rois_320_video with video_file, frame_count and fps",
        ),
        (
            ("videos", "rois_320_video", "fps"),
            "25/1",
            "videos.rois_320_video with video_file, frame_count and fps",
        ),
        (
            ("videos", "rois_320_video", "frame_count"),
            float("inf"),
            "videos.rois_320_video with video_file, frame_count and fps",
        ),
        (
            ("videos", "full_body_video", "frame_count"),
            0,
            "videos.full_body_video of 1 frame or more at 1 to 240 frames per second, got 0 at 25",
        ),
        (
            ("videos", "full_body_video", "fps"),
            float("nan"),
            "videos.full_body_video of 1 frame or more at 1 to 240 frames per second, got 6 at nan",
        ),
    ],
)
def test_a_description_without_its_parts(package, keys, value, expected):
    """What package_info.json lacks or gets wrong is named."""
    edit_json(package.folder / INFO, *keys, value=value)
    assert refusal(package).startswith(f"{INFO}: expected {expected}")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "expected a JSON file, got nothing there"),
        (b"{", "expected a JSON object, got text that is not JSON (Expecting property name"),
        (b"\xff\xfe", "expected a JSON object, got text that is not JSON ('utf-8' codec"),
        (b"[]", "expected a JSON object, got a list"),
    ],
)
@pytest.mark.parametrize("name", [INFO, RECTANGLES])
def test_broken_json(package, name, content, sentence):
    """A JSON file that is missing or broken is named."""
    (package.folder / name).unlink()
    if content is not None:
        (package.folder / name).write_bytes(content)
    assert refusal(package).startswith(f"{name}: {sentence}")


@pytest.mark.parametrize(
    ("rectangle", "got"),
    [
        (None, "no usable 'NoneType' object is not subscriptable"),
        ({"box": [1, 2, 3, 4]}, "no usable 'rect'"),
        ({"rect": ["a", 2, 3, 4]}, "no usable invalid literal for int() with base 10: 'a'"),
    ],
)
def test_broken_rectangles(package, rectangle, got):
    """A rectangle that is none is refused with the form that was expected."""
    edit_json(package.folder / RECTANGLES, "3", value=rectangle)
    expected = f'{{"0": {{"rect": [x1, y1, x2, y2]}}, …}} for {FRAMES} frames'
    assert refusal(package) == f"{RECTANGLES}: expected {expected}, got {got}"


def test_missing_and_short_rectangles(package):
    """A frame without a rectangle, and rectangles of three numbers, are refused."""
    path = package.folder / RECTANGLES
    content = json.loads(path.read_text())
    del content["5"]
    path.write_text(json.dumps(content))
    assert refusal(package).endswith("got no usable '5'")
    path.write_text(json.dumps({str(index): {"rect": [1, 2, 3]} for index in range(FRAMES)}))
    assert refusal(package).endswith(f"got an array of shape ({FRAMES}, 3)")


def test_an_empty_rectangle(package):
    """A rectangle without an area is refused with its frame."""
    edit_json(package.folder / RECTANGLES, "4", "rect", value=[90, 10, 80, 50])
    assert refusal(package) == (
        f"{RECTANGLES}: expected x1 < x2 and y1 < y2 in every frame, got [90, 10, 80, 50] in frame 4"
    )


def test_videos_that_do_not_fit(package):
    """Face videos of another count or size are refused."""
    edit_json(package.folder / INFO, "videos", "rois_320_video", "frame_count", value=5)
    assert refusal(package) == ".: expected rois_320_video of 6 frames like full_body_video, got 5"
    edit_json(package.folder / INFO, "videos", "rois_320_video", "frame_count", value=FRAMES)
    write_video(package.folder / "rois_320_video.avi", [smooth_picture(0, 328, 328)])
    assert refusal(package) == "rois_320_video.avi: expected pictures of 320x320, got 328x328"


def test_features_of_another_clip(package):
    """Features whose count is far from the frames' are refused."""
    np.save(package.folder / "aud_ave.npy", speech_features(FRAMES + 6))
    assert refusal(package) == "aud_ave.npy: expected 6 feature vectors (one a frame, give or take 5), got 12"


@pytest.mark.parametrize("video", ["full_body_video.avi", "rois_320_video.avi"])
def test_a_video_that_ends_early(package, video):
    """Either video ending before its promised count is refused when that frame's turn comes."""
    path = package.folder / video
    first = smooth_picture(0, *((320, 320) if "rois" in video else (256, 224)))
    write_video(path, [first] * 4)
    frames = open_package(package.folder, "ave").frames
    with pytest.raises(BadSource) as caught:
        list(frames)
    assert str(caught.value) == f"{path}: expected a video of at least 6 frames, got 4 that can be decoded"


@pytest.mark.parametrize("file", ["../other.avi", "/etc/hosts"])
def test_a_video_outside_of_the_package(package, file):
    """A package, which may come from anybody, cannot have a file outside of itself read."""
    edit_json(package.folder / INFO, "videos", "full_body_video", "video_file", value=file)
    assert refusal(package) == f"{INFO}: expected a file within the package, got {file}"
