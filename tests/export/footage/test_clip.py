"""export/footage/clip.py"""

import cv2
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.clip import encode_full_frame, open_dataset, open_video_with_landmarks
from tests.export.recordings import beeps, write_recording
from tests.export.sources import FRAMES, smooth_picture, speech_features, write_video, write_video_source


def open_video_source(source):
    folder = source.folder
    return open_video_with_landmarks(
        folder / "video.avi", folder / "landmarks", folder / "features.npy", "ave"
    )


def refused(opener, *arguments):
    with pytest.raises(BadSource) as caught:
        opener(*arguments)
    return str(caught.value)


def test_dataset(dataset):
    """A dataset's frames are the independent crops of its pictures, with their squares and the files' own bytes."""
    footage = open_dataset(dataset.folder, "ave")
    frames = list(footage.frames)
    assert (footage.kind, footage.name, footage.fps, footage.frame_count) == ("dataset", "May", 25.0, FRAMES)
    assert footage.checkpoint is None
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


def test_a_video_brings_its_track(video_source):
    """The sound of a video with landmarks is its own track's, and none where it has none."""
    assert open_video_source(video_source).sound.size == 0
    path = video_source.folder / "video.mkv"
    write_recording(path, video_source.pictures, np.arange(FRAMES) / 25, beeps(0.24, 16_000), 16_000)
    path.rename(video_source.folder / "video.avi")
    np.testing.assert_array_equal(open_video_source(video_source).sound, beeps(0.24, 16_000))


def test_video(tmp_path):
    """A video's frames are the independent crops of its pictures; its own rate is kept, its pictures become JPEGs."""
    source = write_video_source(tmp_path / "clip", fps=30)
    footage = open_video_source(source)
    frames = list(footage.frames)
    assert (footage.kind, footage.name, footage.fps, footage.frame_count) == (
        "video",
        "video.avi",
        30.0,
        FRAMES,
    )
    np.testing.assert_array_equal(footage.audio_features, source.features)
    np.testing.assert_array_equal([frame.face for frame in frames], source.faces)
    np.testing.assert_array_equal([frame.bounds for frame in frames], source.squares)
    for frame, picture in zip(frames, source.pictures, strict=True):
        decoded = cv2.imdecode(np.frombuffer(frame.full_jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert cv2.PSNR(decoded, picture) > 35


def test_full_frame_is_a_jpeg():
    """A full picture becomes a JPEG that decodes to nearly the same."""
    picture = smooth_picture(3)
    data = encode_full_frame(picture)
    assert (data[:2], data[-2:]) == (b"\xff\xd8", b"\xff\xd9")
    assert cv2.PSNR(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), picture) > 35


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


def test_other_files_beside_the_frames(dataset):
    """Files that are not numbered frames are passed over."""
    for name in ("cover.jpg", "007.jpg", "²5.jpg"):
        (dataset.folder / "full_body_img" / name).touch()
    assert open_dataset(dataset.folder, "ave").frame_count == FRAMES


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


def test_counts_that_differ(dataset, video_source):
    """Pictures, landmarks and features of different clips do not go together."""
    (dataset.folder / "landmarks" / f"{FRAMES - 1}.lms").unlink()
    assert refused(open_dataset, dataset.folder, "ave") == (
        f"{dataset.folder}: expected as many pictures as landmark files, got {FRAMES} and {FRAMES - 1}"
    )
    np.save(video_source.folder / "features.npy", speech_features(50))
    expected = f"{FRAMES} feature vectors (one a frame, give or take 5)"
    assert refused(open_video_source, video_source) == (
        f"{video_source.folder / 'features.npy'}: expected {expected}, got 50"
    )


@pytest.mark.parametrize("kept", [0, 0.5, 0.99], ids=["empty", "cut", "cut at the end"])
def test_a_cut_picture(dataset, kept):
    """A picture that is not whole is refused when its turn comes, though a decoder would fill the rest with grey."""
    path = dataset.folder / "full_body_img" / "2.jpg"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    frames = open_dataset(dataset.folder, "ave").frames
    next(frames), next(frames)
    assert refused(next, frames) == (
        f"{path}: expected a whole JPEG picture, got {int(len(data) * kept)} bytes that are none"
    )


def test_a_video_shorter_than_its_landmarks(video_source):
    """A video that ends before its landmarks do is refused with both counts."""
    path = video_source.folder / "video.avi"
    write_video(path, video_source.pictures[:4])
    footage = open_video_source(video_source)
    assert refused(list, footage.frames) == (
        f"{path}: expected a video of at least {FRAMES} frames, got 4 that can be decoded"
    )
