"""backends/frame_lookup/frames.py"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.frame_lookup.frames import FrameStore, Rows, Scratch, window_indices
from tests.backends.models import FRAME_COUNT, FrameData

AUDIO_SHAPE = (32, 16, 16)
FACE_SHAPE = (320, 320, 3)


def reference_window(features: np.ndarray, frame_id: int, edge_padding: str, window: int = 16) -> np.ndarray:
    """The vectors around a frame, one after another, by the rule in words."""
    last, half = len(features) - 1, window // 2
    if edge_padding == "repeat" and frame_id + half - 1 > last:
        return np.stack([features[last]] * window)
    outside = np.zeros_like(features[0]) if edge_padding == "zeros" else features[0]
    around = range(frame_id - half, frame_id + half)
    return np.stack([features[i] if 0 <= i <= last else outside for i in around])


@given(
    frame_count=st.integers(1, 60),
    missing=st.integers(-3, 3),
    edge_padding=st.sampled_from(["zeros", "repeat"]),
    window=st.sampled_from([8, 16]),
)
def test_windows(frame_count: int, missing: int, edge_padding: str, window: int) -> None:
    """Every window is that of the rule, also where there are a few vectors more or less than frames."""
    features = np.arange(1, max(1, frame_count - missing) + 1)[:, None]
    indices = window_indices(frame_count, len(features), edge_padding, window)
    padded = np.concatenate([features, [[0]]])
    assert indices.shape == (frame_count, window)
    for frame_id in range(frame_count):
        expected = reference_window(features, frame_id, edge_padding, window)
        np.testing.assert_array_equal(padded[indices[frame_id]], expected)


def test_unknown_padding() -> None:
    """Another word than zeros or repeat is refused."""
    with pytest.raises(ValueError, match=r"^expected edge_padding zeros or repeat, got 'mirror'$"):
        window_indices(1, 1, "mirror", 16)


@pytest.mark.parametrize("edge_padding", ["zeros", "repeat"])
def test_gathers(frame_data: FrameData, edge_padding: str) -> None:
    """For any ids, in any order and more than once, the store gives what the files hold."""
    store = FrameStore(frame_data.folder, FACE_SHAPE, AUDIO_SHAPE, 16, edge_padding)
    ids = np.array([5, 0, 3, 3], np.int32)
    windows = [reference_window(frame_data.features, i, edge_padding).reshape(AUDIO_SHAPE) for i in ids]
    assert store.count == FRAME_COUNT
    np.testing.assert_array_equal(store.gather_faces(ids), frame_data.faces[ids])
    np.testing.assert_array_equal(store.gather_audio(ids), windows)
    np.testing.assert_array_equal(store.gather_bounds(ids), frame_data.bounds[ids])
    np.testing.assert_array_equal(store.gather_sound(ids), frame_data.sound[ids])
    assert store.gather_full_frames(ids)[:, 0].tolist() == [frame_data.full_frames[i] for i in ids]


def test_audio_shapes_of_other_modes(frame_data: FrameData, tmp_path: Path) -> None:
    """Features of hubert's length fill hubert's shape."""
    folder = shutil.copytree(frame_data.folder, tmp_path / "hubert")
    features = np.random.default_rng(1).normal(size=(FRAME_COUNT, 2048)).astype(np.float32)
    np.save(folder / "audio_features.npy", features)
    audio = FrameStore(folder, FACE_SHAPE, (32, 32, 32), 16, "zeros").gather_audio(np.array([2], np.int32))
    np.testing.assert_array_equal(audio[0], reference_window(features, 2, "zeros").reshape(32, 32, 32))


def test_a_smaller_network(frame_data: FrameData, tmp_path: Path) -> None:
    """Faces of 160 pixels and windows of 8 vectors are gathered as those of 320 and 16 are."""
    folder = shutil.copytree(frame_data.folder, tmp_path / "small")
    rng = np.random.default_rng(2)
    faces = rng.integers(0, 256, (FRAME_COUNT, 160, 160, 3)).astype(np.uint8)
    features = rng.normal(size=(FRAME_COUNT, 2048)).astype(np.float32)
    np.save(folder / "faces.npy", faces)
    np.save(folder / "audio_features.npy", features)
    store, ids = FrameStore(folder, (160, 160, 3), (16, 32, 32), 8, "zeros"), np.array([2, 0], np.int32)
    np.testing.assert_array_equal(store.gather_faces(ids), faces[ids])
    windows = [reference_window(features, i, "zeros", 8).reshape(16, 32, 32) for i in ids]
    np.testing.assert_array_equal(store.gather_audio(ids), windows)


@pytest.mark.parametrize(
    ("name", "array", "sentence"),
    [
        (
            "faces.npy",
            np.zeros((6, 320, 320), np.uint8),
            "expected faces.npy to be uint8 (N, 320, 320, 3), got uint8 (6, 320, 320)",
        ),
        (
            "faces.npy",
            np.zeros((6, 328, 328, 3), np.uint8),
            "expected faces.npy to be uint8 (N, 320, 320, 3), got uint8 (6, 328, 328, 3)",
        ),
        (
            "audio_features.npy",
            np.zeros((6, 512)),
            "expected audio_features.npy to be float32 (T, D), got float64 (6, 512)",
        ),
        (
            "audio_features.npy",
            np.zeros((6, 1024), np.float32),
            "expected windows of 16 vectors to fill (32, 16, 16), got vectors of 1024",
        ),
        (
            "bounds.npy",
            np.zeros((5, 4), np.int32),
            "expected as many faces as bounds, sounds and full frames, got 6, 5, 6 and 6",
        ),
        (
            "sound.npy",
            np.zeros((7, 640), np.int16),
            "expected as many faces as bounds, sounds and full frames, got 6, 6, 7 and 6",
        ),
        (
            "sound.npy",
            np.zeros((6, 640), np.float32),
            "expected sound.npy to be int16 (N, S), got float32 (6, 640)",
        ),
        (
            "full_frame_offsets.npy",
            np.arange(7),
            "expected full_frames.bin to hold 6 bytes, got 135000",
        ),
    ],
)
def test_files_that_do_not_fit(
    frame_data: FrameData, tmp_path: Path, name: str, array: np.ndarray, sentence: str
) -> None:
    """Each file of another kind, shape or length is named with what was expected and what is there."""
    folder = shutil.copytree(frame_data.folder, tmp_path / "bad")
    np.save(folder / name, array)
    with pytest.raises(ValueError, match=r"^expected") as caught:
        FrameStore(folder, FACE_SHAPE, AUDIO_SHAPE, 16, "zeros")
    assert str(caught.value) == sentence


@pytest.mark.parametrize("kept_bytes", [128, 1000, 6 * 307_200])
def test_truncated_file(frame_data: FrameData, tmp_path: Path, kept_bytes: int) -> None:
    """A truncated file is named, with how much it should hold and how much it does."""
    folder = cut(frame_data, tmp_path, "faces.npy", kept_bytes)
    with pytest.raises(ValueError, match=r"^expected faces\.npy to hold ") as caught:
        FrameStore(folder, FACE_SHAPE, AUDIO_SHAPE, 16, "zeros")
    assert str(caught.value) == (
        f"expected faces.npy to hold {128 + 6 * 307_200} bytes, as its beginning says, got {kept_bytes}"
    )


@pytest.mark.parametrize("kept_bytes", [0, 50])
def test_truncated_header(frame_data: FrameData, tmp_path: Path, kept_bytes: int) -> None:
    """A file of which not even the header is whole is named."""
    folder = cut(frame_data, tmp_path, "faces.npy", kept_bytes)
    with pytest.raises(ValueError, match=r"^expected faces\.npy to hold an array, got: "):
        FrameStore(folder, FACE_SHAPE, AUDIO_SHAPE, 16, "zeros")


@pytest.mark.parametrize(
    ("name", "gather", "sentence"),
    [
        ("faces.npy", "gather_faces", "expected faces.npy to hold 1843328 bytes, got 1000"),
        ("sound.npy", "gather_sound", "expected sound.npy to hold 7808 bytes, got 1000"),
        ("full_frames.bin", "gather_full_frames", "expected full_frames.bin to hold 135000 bytes, got 1000"),
    ],
)
def test_truncated_while_it_is_read(
    frame_data: FrameData, tmp_path: Path, name: str, gather: str, sentence: str
) -> None:
    """A file that is cut short later is an error where its end is wanted, and no SIGBUS; whole again, it is read."""
    folder = shutil.copytree(frame_data.folder, tmp_path / "cut")
    store, whole = FrameStore(folder, FACE_SHAPE, AUDIO_SHAPE, 16, "zeros"), (folder / name).read_bytes()
    last = np.array([5], np.int32)
    expected = getattr(store, gather)(last)
    os.truncate(folder / name, 1000)
    with pytest.raises(ValueError, match=r"^expected") as caught:
        getattr(store, gather)(last)
    assert str(caught.value) == sentence
    (folder / name).write_bytes(whole)
    np.testing.assert_array_equal(getattr(store, gather)(last), expected)


def test_arrays_as_numpy_writes_them(tmp_path: Path) -> None:
    """A file with a longer header is read as well; columns first is not what is expected."""
    array = np.arange(12, dtype=np.int32).reshape(3, 4)
    with (tmp_path / "second.npy").open("wb") as file:
        np.lib.format.write_array(file, array, version=(2, 0))
    np.testing.assert_array_equal(Rows(tmp_path / "second.npy", np.int32, "N, 4").read_all(), array)
    np.save(tmp_path / "columns.npy", np.asfortranarray(array))
    with pytest.raises(ValueError, match=r"^expected columns\.npy to be int32 \(N, 4\), got"):
        Rows(tmp_path / "columns.npy", np.int32, "N, 4")


def cut(frame_data: FrameData, tmp_path: Path, name: str, kept_bytes: int) -> Path:
    folder = shutil.copytree(frame_data.folder, tmp_path / "bad")
    os.truncate(folder / name, kept_bytes)
    return folder


def test_missing_file(frame_data: FrameData, tmp_path: Path) -> None:
    """A missing file is named."""
    folder = shutil.copytree(frame_data.folder, tmp_path / "bad")
    (folder / "bounds.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"bounds\.npy"):
        FrameStore(folder, FACE_SHAPE, AUDIO_SHAPE, 16, "zeros")


def test_scratch_is_used_again_by_the_next_batch() -> None:
    """Within a batch nobody is given another's rows; the next batch writes over them."""
    scratch = Scratch(3, (2,), np.uint8)
    first, second = scratch.take(1), scratch.take(2)
    first[:], second[:] = 1, 2
    assert (first.tolist(), second.tolist()) == ([[1, 1]], [[2, 2], [2, 2]])
    scratch.begin()
    again = scratch.take(2)
    assert np.shares_memory(again, first)
    assert np.shares_memory(again, second)


def test_scratch_that_is_too_small() -> None:
    """A batch of more rows than there are gets fresh ones beside them."""
    scratch = Scratch(2, (4,), np.int16)
    first, more = scratch.take(2), scratch.take(2)
    assert (more.shape, more.dtype) == ((2, 4), np.int16)
    assert not np.shares_memory(first, more)


def test_faces_in_scratch(frame_data: FrameData) -> None:
    """Faces read into scratch memory are those read without it, and lie there."""
    store = FrameStore(frame_data.folder, (320, 320, 3), (32, 16, 16), 16, "zeros")
    scratch, ids = Scratch(4, (320, 320, 3), np.uint8), np.array([5, 0, 3], np.int32)
    faces = store.gather_faces(ids, scratch)
    np.testing.assert_array_equal(faces, frame_data.faces[ids])
    scratch.begin()
    assert np.shares_memory(faces, scratch.take(1))
