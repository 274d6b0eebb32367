"""export/footage/dataset.py"""

import numpy as np
import pytest

from export.errors import BadSource
from export.footage.dataset import Dataset, open_dataset
from tests.export.sources import FRAMES, speech_features


def refused(opener, *arguments):
    with pytest.raises(BadSource) as caught:
        opener(*arguments)
    return str(caught.value)


def test_dataset(dataset):
    """A dataset's frames are the independent crops of its pictures, with their squares and the files' own bytes."""
    footage = open_dataset(dataset.folder, "ave")
    frames = list(footage.frames)
    assert (footage.kind, footage.name, footage.fps, footage.frame_count) == ("dataset", "May", 25.0, FRAMES)
    np.testing.assert_array_equal(footage.audio_features, dataset.features)
    np.testing.assert_array_equal(footage.sound, dataset.sound)
    np.testing.assert_array_equal([frame.face for frame in frames], dataset.faces)
    np.testing.assert_array_equal([frame.bounds for frame in frames], dataset.squares)
    for index, frame in enumerate(frames):
        assert frame.full_jpeg == (dataset.folder / "full_body_img" / f"{index}.jpg").read_bytes()


def test_a_dataset_without_sound(dataset):
    """A dataset needs no ``aud.wav``: its clip is silent then."""
    (dataset.folder / "aud.wav").unlink()
    assert open_dataset(dataset.folder, "ave").sound.size == 0


def test_frames_are_in_the_order_of_their_numbers(dataset):
    """Frame 10 follows frame 9, not frame 1."""
    for index in range(FRAMES, 12):
        for folder, suffix in (("full_body_img", ".jpg"), ("landmarks", ".lms")):
            first = dataset.folder / folder / f"0{suffix}"
            (dataset.folder / folder / f"{index}{suffix}").write_bytes(first.read_bytes())
    np.save(dataset.folder / "aud_ave.npy", speech_features(12))
    faces = [frame.face for frame in open_dataset(dataset.folder, "ave").frames]
    np.testing.assert_array_equal(faces[:FRAMES], dataset.faces)
    np.testing.assert_array_equal(faces[10], dataset.faces[0])


def test_a_gap_in_the_numbers(dataset):
    """A missing frame is named when the dataset is opened."""
    (dataset.folder / "full_body_img" / "3.jpg").unlink()
    folder = dataset.folder / "full_body_img"
    expected = f"every file from 0.jpg to {FRAMES - 1}.jpg"
    assert (
        refused(open_dataset, dataset.folder, "ave")
        == f"{folder}: expected {expected}, got 1 absent, the first 3.jpg"
    )


@pytest.mark.parametrize("stem", ["cover", "007", "²5", "²", "٣", "-1", "1000000000", "9" * 200])
def test_other_files_beside_the_frames(dataset, stem):
    """Files that are not numbered frames are passed over, by every reader alike."""
    (dataset.folder / "full_body_img" / f"{stem}.jpg").touch()
    assert open_dataset(dataset.folder, "ave").frame_count == FRAMES
    assert Dataset(dataset.folder).find_frames() == (set(range(FRAMES)), set(range(FRAMES)))


def test_a_number_far_from_the_others(dataset):
    """A stray file of a great number costs no memory, only the sentence that says what is absent."""
    (dataset.folder / "full_body_img" / "999999999.jpg").touch()
    got = f"{10**9 - FRAMES - 1} absent, the first {FRAMES}.jpg"
    assert refused(open_dataset, dataset.folder, "ave") == (
        f"{dataset.folder / 'full_body_img'}: expected every file from 0.jpg to 999999999.jpg, got {got}"
    )


def test_names_with_leading_zeros(dataset):
    """A folder of 00000.jpg, 00001.jpg, … is refused, and the message shows what its files are called instead."""
    folder = dataset.folder / "full_body_img"
    for index in range(FRAMES):
        (folder / f"{index}.jpg").rename(folder / f"{index:05}.jpg")
    assert refused(open_dataset, dataset.folder, "ave") == (
        f"{folder}: expected files 0.jpg, 1.jpg, …, got none (but 00000.jpg)"
    )


def test_folders_that_are_none(dataset, tmp_path):
    """A missing or empty folder of frames is named."""
    assert refused(open_dataset, tmp_path / "no", "ave") == (
        f"{tmp_path / 'no' / 'full_body_img'}: expected a folder of files 0.jpg, 1.jpg, …, got nothing there"
    )
    for path in (dataset.folder / "landmarks").iterdir():
        path.unlink()
    assert refused(open_dataset, dataset.folder, "ave") == (
        f"{dataset.folder / 'landmarks'}: expected files 0.lms, 1.lms, …, got none"
    )


def test_counts_that_differ(dataset):
    """Pictures and landmarks of different clips do not go together."""
    (dataset.folder / "landmarks" / f"{FRAMES - 1}.lms").unlink()
    assert refused(open_dataset, dataset.folder, "ave") == (
        f"{dataset.folder}: expected as many pictures as landmark files, got {FRAMES} and {FRAMES - 1}"
    )


@pytest.mark.parametrize(("kept", "zeros"), [(0, 0), (0.5, 0), (0.99, 0), (0.9, 40_000)])
def test_a_cut_picture(dataset, kept, zeros):
    """A picture that is not whole is refused when its turn comes, though a decoder would fill the rest with grey.

    A copy that was interrupted may leave zeros where the rest belongs.
    """
    path = dataset.folder / "full_body_img" / "2.jpg"
    data = path.read_bytes()
    cut = data[: int(len(data) * kept)] + bytes(zeros)
    path.write_bytes(cut)
    frames = open_dataset(dataset.folder, "ave").frames
    next(frames), next(frames)
    assert (
        refused(next, frames) == f"{path}: expected a whole JPEG picture, got {len(cut)} bytes that are none"
    )


def test_a_picture_that_is_absent_or_too_large(dataset):
    """A picture that went away meanwhile, or claims more pixels than can be decoded, is refused in a sentence."""
    path = dataset.folder / "full_body_img" / "2.jpg"
    data = path.read_bytes()
    size = data.index(b"\xff\xc0") + 5  # height and width, two bytes each
    expected = f"{path}: expected pictures of 1 to 8192 pixels a side, 36 million in all, got 65500x65500"
    path.write_bytes(data[:size] + b"\xff\xdc\xff\xdc" + data[size + 4 :])
    assert refused(Dataset(dataset.folder).read_frame, 2) == expected
    path.unlink()
    expected = f"{path}: expected a whole JPEG picture, got nothing there"
    assert refused(Dataset(dataset.folder).read_frame, 2) == expected
