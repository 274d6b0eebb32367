import cv2
import numpy as np
import pytest

from demo.geometry import mouth_size
from demo.landmarks import crop_bounds, landmarks
from demo.measure import best_lag, correlation, measure_mouth, mouth_psnr
from demo.motion import poses
from demo.pose import MouthPose
from demo.recording import read_recording
from demo.visemes import mouth_poses


@pytest.fixture(scope="module")
def true_mouths() -> list[MouthPose]:
    """The held-out take, every other frame."""
    speech = read_recording("heldout")
    return mouth_poses(speech.phonemes, len(speech.sound) // 640)[::2]


@pytest.fixture(scope="module")
def faces(renderer, true_mouths) -> list[np.ndarray]:
    """Faces cropped as the importer crops: 320x320."""
    crops = []
    for pose in poses(true_mouths, seed=1):
        left, top, right, bottom = crop_bounds(landmarks(pose))
        crop = cv2.resize(
            renderer.draw(pose)[top:bottom, left:right], (328, 328), interpolation=cv2.INTER_CUBIC
        )
        crops.append(crop[4:324, 4:324])
    return crops


def as_jpeg(face: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", face, (cv2.IMWRITE_JPEG_QUALITY, 75))[1], cv2.IMREAD_COLOR)


def blurred(face: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(face, (0, 0), 1.5)


@pytest.mark.parametrize("spoil", [np.copy, as_jpeg, blurred])
def test_measurements_follow_the_truth(faces, true_mouths, spoil):
    """On true frames, as they are, after JPEG and blurred, opening correlates >= 0.98 with the truth, width >= 0.98."""
    measured = [measure_mouth(spoil(face)) for face in faces]
    true = np.array([mouth_size(mouth) for mouth in true_mouths])
    opening, width = (np.array([getattr(mouth, name) for mouth in measured]) for name in ("opening", "width"))
    assert correlation(true[:, 0], opening) >= 0.98
    assert correlation(true[:, 1], width) >= 0.98
    assert best_lag(true[:, 0], opening) == 0


def test_measurements_have_the_size_of_the_truth(faces, true_mouths):
    """Opening is right within 0.12, on average within 0.03, and width within 0.02; a closed mouth is under 0.04."""
    for face, mouth in zip(faces, true_mouths, strict=True):
        measured, (opening, width, _) = measure_mouth(face), mouth_size(mouth)
        assert measured.opening == pytest.approx(opening, abs=0.12)
        assert measured.width == pytest.approx(width, abs=0.02)
        if opening == 0:
            assert measured.opening < 0.04
    errors = [
        abs(measure_mouth(f).opening - mouth_size(m)[0]) for f, m in zip(faces, true_mouths, strict=True)
    ]
    assert np.mean(errors) < 0.03


def test_face_without_a_mouth_measures_as_none(faces):
    """Grey, black and a mouth painted over with skin give None instead of numbers."""
    assert measure_mouth(np.full((320, 320, 3), 128, np.uint8)) is None
    assert measure_mouth(np.zeros((320, 320, 3), np.uint8)) is None
    covered = faces[0].copy()
    covered[120:240, 60:260] = covered[110, 160]
    assert measure_mouth(covered) is None


def test_correlation_is_pearsons():
    """It agrees with NumPy's, and a series that never changes correlates with nothing."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50))
    assert correlation(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert correlation(a, 3 - 2 * a) == pytest.approx(-1)
    assert correlation(a, np.ones(50)) == 0.0


@pytest.mark.parametrize("lag", [-7, -1, 0, 1, 4])
def test_lag_is_found(lag):
    """A series that comes some frames late (early) has that lag, noise and all."""
    rng = np.random.default_rng(1)
    wave = np.convolve(rng.normal(size=240), np.ones(5), "same")
    true, generated = wave[20:220], wave[20 - lag : 220 - lag] + 0.2 * rng.normal(size=200)
    assert best_lag(true, generated) == lag


def test_psnr_looks_at_the_mouth_rectangle_alone():
    """A change outside the rectangle counts nothing; one level everywhere inside is 48.13 dB."""
    one = np.full((320, 320, 3), 100, np.uint8)
    other = one.copy()
    other[5:310, 5:315] += 1
    other[:5] = 0
    other[310:] = 0
    other[:, :5] = other[:, 315:] = 255
    assert mouth_psnr(one, other) == pytest.approx(20 * np.log10(255), abs=1e-6)
