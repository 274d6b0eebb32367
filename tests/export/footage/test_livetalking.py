"""export/footage/livetalking.py and export/footage/coordinates.py"""

import os
import pickle

import cv2
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.coordinates import read_coordinates
from export.footage.livetalking import open_livetalking
from speech.wav import write_wav
from tests.export.sources import FRAMES, smooth_picture

SQUARES = [(40 + index, 30, 200 + index, 190) for index in range(FRAMES)]


@pytest.fixture
def avatar(tmp_path):
    """An avatar folder as LiveTalking's generator writes it, its coordinates being NumPy's numbers."""
    folder = tmp_path / "ultralight_avatar1"
    for name in ("full_imgs", "face_imgs"):
        (folder / name).mkdir(parents=True)
    for index, (x1, y1, x2, y2) in enumerate(SQUARES):
        picture = smooth_picture(index)
        crop = cv2.resize(picture[y1:y2, x1:x2], (168, 168), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / "full_imgs" / f"{index:08d}.png"), picture)
        cv2.imwrite(str(folder / "face_imgs" / f"{index:08d}.png"), crop)
    write_coordinates(folder, [tuple(np.array(square, np.int64)) for square in SQUARES])
    return folder


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


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("number", [int, float, np.int32, np.int64, np.float32])
def test_coordinates(tmp_path, protocol, number):
    """Plain and NumPy numbers of any pickle protocol are read."""
    content = [[number(value) for value in square] for square in SQUARES]
    (tmp_path / "coords.pkl").write_bytes(pickle.dumps(content, protocol))
    squares = read_coordinates(tmp_path / "coords.pkl")
    assert squares.dtype == np.int32
    np.testing.assert_array_equal(squares, SQUARES)


class Code:
    """Unpickling it would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("wrap", [lambda code: code, lambda code: [(1, 2, 3, code)], lambda code: {code: 1}])
def test_a_pickle_runs_nothing(tmp_path, wrap):
    """A pickle that calls a function is refused by its name, and nothing was run."""
    made = tmp_path / "made by the pickle"
    path = tmp_path / "coords.pkl"
    path.write_bytes(pickle.dumps(wrap(Code(made))))
    assert refusal(read_coordinates, path) == (
        f"{path}: expected a pickled list of (x1, y1, x2, y2), one for each frame, "
        f"got one that calls Python code ({os.mkdir.__module__}.mkdir)"
    )
    assert not made.exists()


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "bytes that are none (EOFError)"),
        (pickle.dumps([]), "an array of shape (0,)"),
        (pickle.dumps([(1, 2, 3)]), "an array of shape (1, 3)"),
        (pickle.dumps([(1, 2, 3, 1 << 40)]), "numbers of more than 32 bits"),
        (pickle.dumps([(1, 2, 3, "x")]), "bytes that are none (ValueError)"),
        (
            pickle.dumps([(1, 2, 3, np.arange(3))]),
            "one that calls Python code (numpy.core.multiarray._reconstruct)",
        ),
        (pickle.dumps(np.complex64(1)), "one that calls Python code (numpy.dtype 'c8')"),
    ],
)
def test_other_coordinates(tmp_path, content, got):
    """What is no list of four numbers is refused for what it is."""
    path = tmp_path / "coords.pkl"
    path.write_bytes(content)
    said = refusal(read_coordinates, path).partition(", got ")[2]
    assert said.replace("numpy._core", "numpy.core") == got


def test_damaged_bytes_raise_nothing_else(tmp_path):
    """Whatever bytes are damaged, the answer is coordinates or a BadSource."""
    path, rng = tmp_path / "coords.pkl", np.random.default_rng(2)
    whole = pickle.dumps([tuple(np.array(square, np.int64)) for square in SQUARES])
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert read_coordinates(path).shape[1] == 4
        except BadSource:
            continue
