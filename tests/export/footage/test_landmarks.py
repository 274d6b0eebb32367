"""export/footage/landmarks.py"""

import numpy as np
import pytest

from export.errors import BadSource
from export.footage.landmarks import crop_bounds, cut_face, read_landmarks
from tests.export.sources import smooth_picture

PATH_NAME = "7.lms"


def points(left: int, right: int, top: int) -> np.ndarray:
    marks = np.full((110, 2), 50, np.int32)
    marks[1, 0], marks[31, 0], marks[52, 1] = left, right, top
    return marks


def cubic_weights(source: int, target: int) -> np.ndarray:
    """Return (target, source) weights of Keys' cubic with a = -0.75, pixel centres aligned, edges repeated."""
    weights = np.zeros((target, source))
    for row in range(target):
        position = (row + 0.5) * source / target - 0.5
        for tap in range(int(np.floor(position)) - 1, int(np.floor(position)) + 3):
            x = abs(position - tap)
            near = 1.25 * x**3 - 2.25 * x**2 + 1
            far = -0.75 * x**3 + 3.75 * x**2 - 6 * x + 3
            weights[row, min(max(tap, 0), source - 1)] += near if x <= 1 else far
    return weights


def test_coordinates_are_truncated(tmp_path):
    """Each line gives x and y, cut to whole pixels towards zero; blank lines at the end do not count."""
    path = tmp_path / PATH_NAME
    path.write_text("".join(f"{index}.99 -{index}.5\n" for index in range(110)) + "\n \n")
    marks = read_landmarks(path)
    assert marks.dtype == np.int32
    assert marks.tolist() == [[index, -index] for index in range(110)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "expected a landmark file, got nothing there"),
        (b"", "expected 110 lines 'x y', got 0 lines"),
        (b"1 2\n" * 109, "expected 110 lines 'x y', got 109 lines"),
        (b"1 2\n" * 111, "expected 110 lines 'x y', got 111 lines"),
        (b"1 2\n" * 9 + b"1 2 3\n" + b"1 2\n" * 100, "expected two numbers 'x y' in line 10, got '1 2 3'"),
        (b"1 2\n" * 109 + b"1 y\n", "expected two numbers 'x y' in line 110, got '1 y'"),
        (b"nan 2\n" + b"1 2\n" * 109, "expected two numbers 'x y' in line 1, got 'nan 2'"),
        (b"1 inf\n" + b"1 2\n" * 109, "expected two numbers 'x y' in line 1, got '1 inf'"),
        (b"1 2\n" * 100 + b"\xff\xfe\n" * 10, "expected 110 lines 'x y', got bytes that are not text"),
    ],
)
def test_refusals(tmp_path, content, sentence):
    """A landmark file that is none is named, with what was expected and what came."""
    path = tmp_path / PATH_NAME
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadSource) as caught:
        read_landmarks(path)
    assert str(caught.value) == f"{path}: {sentence}"


def test_square_from_three_points(tmp_path):
    """Left is x of point 1, right x of point 31, top y of point 52, and it is as high as wide."""
    bounds = crop_bounds(tmp_path, points(40, 140, 30), 300, 200)
    assert bounds.tolist() == [40, 30, 140, 130]
    assert bounds.dtype == np.int32


@pytest.mark.parametrize(
    ("square", "clipped"),
    [
        ((-10, 90, 30), [0, 30, 90, 130]),
        ((220, 320, -5), [220, 0, 300, 95]),
        ((10, 110, 120), [10, 120, 110, 200]),
    ],
)
def test_square_stays_in_the_picture(tmp_path, square, clipped):
    """What of the square lies outside a 300x200 picture is left off."""
    assert crop_bounds(tmp_path, points(*square), 300, 200).tolist() == clipped


@pytest.mark.parametrize(
    ("marks", "square"),
    [
        ((100, 131, 10), "[100, 10, 131, 41]"),
        ((140, 40, 30), "[140, 30, 40, -70]"),
        ((10, 110, 190), "[10, 190, 110, 290]"),
    ],
)
def test_no_face_in_the_picture(tmp_path, marks, square):
    """A square of which less than 32 pixels lie inside the picture is refused."""
    path = tmp_path / PATH_NAME
    with pytest.raises(BadSource) as caught:
        crop_bounds(path, points(*marks), 300, 200)
    expected = "a face square of at least 32 pixels inside the 300x200 picture"
    assert str(caught.value) == f"{path}: expected {expected}, got {square}"


@pytest.mark.parametrize("side", [160, 328, 420])
def test_face_is_the_bicubic_crop_less_its_border(side):
    """The face equals rows and columns 4 to 323 of an independent bicubic 328 crop, within a level."""
    picture = smooth_picture(1, 480, 460)
    crop = picture[20 : 20 + side, 30 : 30 + side].astype(float)
    weights = cubic_weights(side, 328)
    resized = np.einsum("yi,xj,ijc->yxc", weights, weights, crop, optimize=True)
    expected = np.clip(resized, 0, 255)[4:324, 4:324]
    face = cut_face(picture, np.array([30, 20, 30 + side, 20 + side], np.int32))
    assert face.shape == (320, 320, 3)
    assert face.dtype == np.uint8
    assert np.abs(face - expected).max() < 1


@pytest.mark.parametrize("number", ["1e300", "-1e300", "1000001", "1e7", "9" * 400])
def test_numbers_past_every_picture(tmp_path, number):
    """A landmark that no picture has is refused with its line."""
    path = tmp_path / "0.lms"
    path.write_text("1 2\n" * 2 + f"{number} 5\n" + "1 2\n" * 107)
    with pytest.raises(BadSource, match=r"(from -1000000 to 1000000|'x y') in line 3, got '"):
        read_landmarks(path)


def test_a_large_file(tmp_path):
    """A landmark file of more than 64 KiB is refused unread."""
    path = tmp_path / "0.lms"
    path.write_bytes(b"1 2\n" * (1 << 15))
    with pytest.raises(BadSource, match="expected a file of up to 65536 bytes, got 131072 bytes"):
        read_landmarks(path)
