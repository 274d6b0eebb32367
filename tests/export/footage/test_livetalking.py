"""export/footage/livetalking.py"""

import pickle

import cv2
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.livetalking import open_livetalking
from speech.wav import write_wav
from tests.export.sources import FRAMES, LIVETALKING_SQUARES, smooth_picture, write_livetalking

SQUARES = LIVETALKING_SQUARES


@pytest.fixture
def avatar(tmp_path):
    """An avatar folder as LiveTalking's generator writes it."""
    return write_livetalking(tmp_path / "ultralight_avatar1")


def write_coordinates(folder, content):
    (folder / "coords.pkl").write_bytes(pickle.dumps(content))


def refusal(opener, *arguments):
    with pytest.raises(BadSource) as caught:
        opener(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(("mode", "fps", "size"), [("hubert", 25.0, 2048), ("wenet", 20.0, 8192)])
def test_an_avatar_without_speech(avatar, mode, fps, size):
    """Faces are the crops less their border, squares the pickled ones, features zeros, which a remark says."""
    footage = open_livetalking(avatar, mode)
    frames = list(footage.frames)
    assert (footage.kind, footage.fps, footage.frame_count, footage.sound.size) == (
        "LiveTalking",
        fps,
        FRAMES,
        0,
    )
    np.testing.assert_array_equal([frame.bounds for frame in frames], SQUARES)
    for index, frame in enumerate(frames):
        crop = cv2.imread(str(avatar / "face_imgs" / f"{index:08d}.png"))
        np.testing.assert_array_equal(frame.face, crop[4:164, 4:164])
        decoded = cv2.imdecode(np.frombuffer(frame.full_jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert cv2.PSNR(decoded, smooth_picture(index)) > 35
    assert footage.audio_features.shape == (FRAMES, size)
    assert not footage.audio_features.any()
    (remark,) = footage.remarks
    assert remark.text.startswith("comes without speech: ")


def test_an_avatar_with_speech(avatar):
    """Features and sound that lie in its folder, as in a dataset's, are its clip's."""
    features = np.random.default_rng(1).normal(size=(FRAMES, 2, 1024)).astype(np.float32)
    sound = np.arange(FRAMES * 640, dtype=np.int16)
    np.save(avatar / "aud_hu.npy", features)
    write_wav(avatar / "aud.wav", sound)
    footage = open_livetalking(avatar, "hubert")
    np.testing.assert_array_equal(footage.audio_features, features.reshape(FRAMES, 2048))
    np.testing.assert_array_equal(footage.sound, sound)
    assert footage.remarks == ()


def test_parts_that_do_not_fit(avatar):
    """Missing and left-out pictures, other counts and other sizes are each one sentence."""
    crops = avatar / "face_imgs"
    cv2.imwrite(str(crops / "00000002.png"), smooth_picture(0, 96, 96))
    expected = f"{crops / '00000002.png'}: expected a crop of 168x168, got 96x96"
    assert refusal(list, open_livetalking(avatar, "hubert").frames) == expected
    (crops / f"{FRAMES - 1:08d}.png").unlink()
    assert refusal(open_livetalking, avatar, "hubert") == (
        f"{avatar}: expected as many pictures in full_imgs and face_imgs as in coords.pkl, "
        f"got {FRAMES}, {FRAMES - 1} and {FRAMES}"
    )
    (crops / "00000001.png").unlink()
    assert refusal(open_livetalking, avatar, "hubert").endswith(f"got {FRAMES - 2} of them, without 00000001")
    for path in crops.iterdir():
        path.unlink()
    assert refusal(open_livetalking, avatar, "hubert").endswith("with none left out, got none")
    crops.rmdir()
    assert refusal(open_livetalking, avatar, "hubert").endswith("got nothing there")


def test_a_picture_that_is_none(avatar):
    """A cut picture is refused when its turn comes."""
    path = avatar / "full_imgs" / "00000001.png"
    path.write_bytes(b"")
    frames = open_livetalking(avatar, "hubert").frames
    next(frames)
    assert refusal(next, frames) == f"{path}: expected a whole picture, got 0 bytes that are none"


def test_a_crop_outside(avatar):
    """A square that does not lie in its picture is refused with it."""
    write_coordinates(avatar, [(0, 0, 300, 300)] * FRAMES)
    assert refusal(list, open_livetalking(avatar, "hubert").frames) == (
        f"{avatar / 'full_imgs' / '00000000.png'}: expected a crop inside its 256x224 picture, "
        "got [0, 0, 300, 300] in coords.pkl"
    )
