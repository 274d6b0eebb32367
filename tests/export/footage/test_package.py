"""export/footage/package.py"""

import json

import cv2
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.package import open_package
from speech.wav import write_wav
from tests.export.sources import FRAMES, edit_json, smooth_picture, speech_features, write_video

INFO = "package_info.json"
RECTANGLES = "cache/crop_rectangles.json"


def refusal(package):
    with pytest.raises(BadSource) as caught:
        open_package(package.folder, "ave")
    assert "\n" not in str(caught.value)
    assert caught.value.path.is_relative_to(package.folder)
    return f"{caught.value.path.relative_to(package.folder)}: {str(caught.value).partition(': ')[2]}"


def entry(name):
    """Return what is expected of a video in the description."""
    return f"an entry of videos whose video_file is {name}.*, with frame_count and fps"


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


def test_the_published_keys(package):
    """Videos are found by their files' names, whatever the entries that list them are called."""
    path = package.folder / INFO
    info = json.loads(path.read_text())
    full, faces = info["videos"]["full_body_video"], info["videos"]["rois_320_video"]
    other = {"video_file": "model_inputs_video.mp4", "frame_count": FRAMES, "fps": 25.0}
    info["videos"] = {"model_inputs": other, "rois_320": faces, "full_body_img": full, "crops_328": other}
    info["onnx"] = {"model": "checkpoint/model_best.onnx", "opset": 17, "asr_mode": "ave"}
    path.write_text(json.dumps(info))
    frames = list(open_package(package.folder, "ave").frames)
    np.testing.assert_array_equal([frame.face for frame in frames], package.faces)


@pytest.mark.parametrize(("rate", "fps"), [(None, 30.0), (24.0, 24.0)])
def test_its_own_rate(package, rate, fps):
    """A package is served at the rate it says, or at the one that is asked for."""
    for name in ("full_body_video", "rois_320_video"):
        edit_json(package.folder / INFO, "videos", name, "fps", value=30.0)
    assert open_package(package.folder, "ave", rate=rate).fps == fps


def test_a_sound_of_another_length(package):
    """Sound far longer than the pictures at the package's rate is refused, with the rate that would fit."""
    write_wav(package.folder / "aud.wav", np.ones(16_000, np.int16))
    assert refusal(package) == (
        ".: expected pictures, feature vectors (one a picture) and sound of one length, got 6 pictures "
        "(0.24 s at 25 a second), 5 feature vectors and 1.00 s of sound (for 6 pictures a second: --fps 6)"
    )


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        (
            ("videos",),
            None,
            entry("full_body_video"),
        ),
        (
            ("videos", "full_body_video"),
            {},
            entry("full_body_video"),
        ),
        (
            ("videos", "rois_320_video", "video_file"),
            5,
            entry("rois_320_video"),
        ),
        (
            ("videos", "rois_320_video", "fps"),
            "25/1",
            entry("rois_320_video"),
        ),
        (
            ("videos", "rois_320_video", "frame_count"),
            float("inf"),
            entry("rois_320_video"),
        ),
        (
            ("videos", "full_body_video", "frame_count"),
            0,
            "full_body_video of 1 to 90000 frames, got 0",
        ),
        (
            ("videos", "full_body_video", "fps"),
            float("nan"),
            "1 to 60 pictures a second, got nan",
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
    assert refusal(package) == (
        ".: expected pictures, feature vectors (one a picture) and sound of one length, "
        "got 6 pictures (0.24 s at 25 a second), 12 feature vectors and 0.24 s of sound"
    )


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


@pytest.mark.parametrize("file", ["../full_body_video.avi", "/etc/full_body_video"])
def test_a_video_outside_of_the_package(package, file):
    """A package, which may come from anybody, cannot have a file outside of itself read."""
    edit_json(package.folder / INFO, "videos", "full_body_video", "video_file", value=file)
    assert refusal(package) == f"{INFO}: expected a file within the package, got {file}"


def test_a_crop_past_the_picture(package):
    """A crop that reaches past the picture's edge is cut off there; one that lies outside is refused."""
    edit_json(package.folder / RECTANGLES, "1", "rect", value=[200, -20, 300, 80])
    edit_json(package.folder / RECTANGLES, "3", "rect", value=[300, 20, 400, 120])
    frames = open_package(package.folder, "ave").frames
    assert [next(frames).bounds.tolist() for _ in range(3)][1] == [200, 0, 256, 80]
    with pytest.raises(BadSource) as caught:
        next(frames)
    assert str(caught.value) == (
        f"{package.folder / RECTANGLES}: expected crops that reach into the 256x224 picture, "
        "got [300, 20, 400, 120] in frame 3"
    )


def test_a_playlist_in_place_of_a_video(package, tmp_path):
    """A playlist that names a file outside of the package is no video, whatever it is called."""
    outside = (package.folder / "full_body_video.avi").rename(tmp_path / "secret.avi")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{outside}\n#EXT-X-ENDLIST\n"
    (package.folder / "full_body_video.avi").write_text(playlist)
    with pytest.raises(BadSource, match=r"full_body_video\.avi: expected a video that is MP4"):
        list(open_package(package.folder, "ave").frames)


@pytest.mark.parametrize("count", [90_001, 10**30, "1" * 5000])
def test_counts_that_no_clip_has(package, count):
    """A package that claims more than an hour of frames is refused before anything of that size is made."""
    edit_json(package.folder / INFO, "videos", "full_body_video", "frame_count", value=count)
    said = refusal(package)
    assert said.startswith(f"{INFO}: expected ")
    assert len(said) < 400


def test_a_name_that_none_can_have(package):
    """A file name with a NUL byte, or one that a terminal would obey, comes back spelt out."""
    for name in ("a\0b/full_body_video", "../\x1b[2J/full_body_video"):
        edit_json(package.folder / INFO, "videos", "full_body_video", "video_file", value=name)
        said = refusal(package)
        assert "expected a file within the package" in said
        assert said.isprintable()
