"""export/footage/feature_files.py"""

import io

import numpy as np
import pytest

from export.errors import BadSource
from export.footage.feature_files import FILE_NAMES, find_modes, modes_of, read_audio_features

WHOLE = np.arange(3 * 512, dtype=np.float32).reshape(3, 512)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, features=array)
    return file.getvalue()


@pytest.mark.parametrize(("mode", "shape"), [("ave", (512,)), ("hubert", (2, 1024)), ("wenet", (32, 256))])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_vectors_of_every_mode(tmp_path, mode, shape, dtype):
    """Features of any float type and inner shape come out as T flat float32 vectors, in order."""
    features = np.random.default_rng(1).normal(size=(4, *shape)).astype(dtype)
    np.save(tmp_path / FILE_NAMES[mode], features)
    read = read_audio_features(tmp_path / FILE_NAMES[mode], mode)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, features.astype(np.float32).reshape(4, -1))


def test_published_file_names():
    """The files are called as in training repositories."""
    assert FILE_NAMES == {"ave": "aud_ave.npy", "hubert": "aud_hu.npy", "wenet": "aud_wenet.npy"}


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (None, "nothing there"),
        (npy(WHOLE[:, :511]), "an array of shape (3, 511)"),
        (npy(WHOLE.ravel()), "an array of shape (1536,)"),
        (npy(WHOLE[:0]), "an array of shape (0, 512)"),
        (npy(WHOLE.astype(np.int16)), "int16"),
        (npy(np.where(WHOLE == 700, np.nan, WHOLE)), "values that are not finite"),
        (npy(np.where(WHOLE == 700, np.inf, WHOLE)), "values that are not finite"),
    ],
    ids=["absent", "too narrow", "flat", "none", "integers", "nan", "infinite"],
)
def test_refusals(tmp_path, content, got):
    """Features that cannot be a clip's are refused in one sentence."""
    path = tmp_path / "aud_ave.npy"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadSource) as caught:
        read_audio_features(path, "ave")
    assert str(caught.value) == f"{path}: expected T vectors of 512 float values (ave), got {got}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        npy(WHOLE)[:-1],
        npy(WHOLE)[:50],
        b"version https://git-lfs",
        npz(WHOLE),
        npz(WHOLE)[:99],
        npy(np.array([{}])),
    ],
    ids=["empty", "cut", "cut header", "text", "archive", "cut archive", "pickle"],
)
def test_no_whole_file(tmp_path, content):
    """A file that is no whole array is refused, objects included, and named."""
    path = tmp_path / "aud_ave.npy"
    path.write_bytes(content)
    with pytest.raises(BadSource) as caught:
        read_audio_features(path, "ave")
    assert str(caught.value).startswith(
        f"{path}: expected T vectors of 512 float values (ave), got no whole .npy file ("
    )
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:<unknown>", "ignore::SyntaxWarning")
def test_damaged_headers_raise_nothing_else(tmp_path):
    """Whatever bytes of the header are damaged, the answer is features or a BadSource."""
    rng = np.random.default_rng(4)
    path = tmp_path / "aud_ave.npy"
    for _ in range(300):
        damaged = bytearray(npy(WHOLE))
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(128)] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert read_audio_features(path, "ave").shape[1] == 512
        except BadSource:
            continue


def test_modes_of_a_folder(tmp_path):
    """The modes whose features lie in a folder are found by their files' names, in the order of the table."""
    assert find_modes(tmp_path) == []
    for name in ("aud_wenet.npy", "aud_ave.npy"):
        (tmp_path / name).touch()
    assert find_modes(tmp_path) == ["ave", "wenet"]


def test_modes_of_a_file(tmp_path):
    """A file's vectors say by their length which mode it is of; what holds none says nothing."""
    path = tmp_path / "features.npy"
    for shape, modes in (
        ((3, 512), ["ave"]),
        ((3, 2, 1024), ["hubert"]),
        ((3, 32, 256), ["wenet"]),
        ((3, 7), []),
    ):
        np.save(path, np.zeros(shape, np.float32))
        assert modes_of(path) == modes
    path.write_bytes(b"no array")
    assert modes_of(path) == modes_of(tmp_path / "absent.npy") == []


@pytest.mark.parametrize(
    ("shape", "dtype", "got"),
    [
        ((1 << 40, 512), "<f4", "up to 90000 vectors, got 1099511627776"),
        ((80_000, 512), "<f4", "no whole .npy file (its end is missing)"),
        ((1 << 40,), "<i8", "int64"),
        ((3, -1, -512), "<f4", "no whole .npy file"),
    ],
)
def test_headers_that_claim_too_much(tmp_path, shape, dtype, got):
    """What a header claims is looked at before room for it is set aside."""
    path = tmp_path / "aud_ave.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
        file.write(bytes(4096))
    with pytest.raises(BadSource) as caught:
        read_audio_features(path, "ave")
    assert got in str(caught.value)
    assert modes_of(path) in ([], ["ave"])


def test_values_past_float32(tmp_path):
    """Numbers that float32 cannot hold are refused; they would be infinite."""
    np.save(tmp_path / "aud_ave.npy", np.full((3, 512), 1e300))
    with pytest.raises(BadSource, match="got values past float32's"):
        read_audio_features(tmp_path / "aud_ave.npy", "ave")
