import cv2
import numpy as np
import pytest

from demo import clip as clip_module
from demo.clip import FEATURES_FILE, LANDMARKS_FOLDER, VIDEO_FILE, write_clip
from demo.errors import ClipExists, ClipNotWritten, InvalidSetting
from demo.face import FaceRenderer
from demo.landmarks import landmarks
from demo.motion import babble, poses

FRAMES, SIZE_PX = 25, 256


def read_video(path) -> tuple[list[np.ndarray], float]:
    reader = cv2.VideoCapture(str(path))
    frames = []
    while (read := reader.read())[0]:
        frames.append(read[1])
    fps = reader.get(cv2.CAP_PROP_FPS)
    reader.release()
    return frames, fps


def test_folder_holds_the_three_parts(clip):
    """A clip is a video, a folder of landmarks and a file of features, and nothing else."""
    assert sorted(p.name for p in clip.iterdir()) == [FEATURES_FILE, LANDMARKS_FOLDER, VIDEO_FILE]
    assert [p.name for p in clip.parent.iterdir()] == ["clip"]
    assert clip.stat().st_mode & 0o777 == 0o755


def test_video_reads_back_as_drawn(clip):
    """The video has every frame, at 25 per second, and each differs little from the drawing."""
    frames, fps = read_video(clip / VIDEO_FILE)
    assert len(frames) == FRAMES
    assert fps == 25
    renderer = FaceRenderer(SIZE_PX)
    sequence = poses(babble(FRAMES))
    for i in (0, 7, 24):
        assert cv2.PSNR(frames[i], renderer.draw(sequence[i])) > 36


def test_landmark_files_hold_truncated_points(clip):
    """There is one file per frame, of 110 lines ``x y``, the points truncated to int."""
    files = sorted((clip / LANDMARKS_FOLDER).iterdir(), key=lambda p: int(p.stem))
    assert [p.name for p in files] == [f"{i}.lms" for i in range(FRAMES)]
    for path, pose in zip(files, poses(babble(FRAMES)), strict=True):
        lines = [tuple(map(int, line.split(" "))) for line in path.read_text().splitlines()]
        np.testing.assert_array_equal(lines, landmarks(pose, SIZE_PX).astype(int))


def test_features_have_one_row_per_frame(clip):
    """The feature file is float32, frames x 512."""
    features = np.load(clip / FEATURES_FILE)
    assert features.shape == (FRAMES, 512)
    assert features.dtype == np.float32


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt(), ValueError("bug")])
def test_failure_leaves_nothing(tmp_path, monkeypatch, error):
    """Whatever stops the drawing half-way, neither the clip nor a temporary folder stays."""

    def fail(*_args, **_options):
        raise error

    monkeypatch.setattr(clip_module.FaceRenderer, "draw", fail)
    expected = ClipNotWritten if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        write_clip(tmp_path / "clip", frames=FRAMES, size_px=SIZE_PX, quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_truncated_video_is_noticed(tmp_path, monkeypatch):
    """Frames that do not arrive in the file (a full disk) are an error, though OpenCV reports none."""
    sequence = poses(babble(FRAMES))
    monkeypatch.setattr(clip_module, "poses", lambda _frames: sequence)
    monkeypatch.setattr(clip_module, "tqdm", lambda poses, *_args, **_options: poses[:3])
    with pytest.raises(ClipNotWritten, match=r"the video should hold 25 frames, 3 can be read back$"):
        write_clip(tmp_path / "clip", frames=FRAMES, size_px=SIZE_PX, quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_existing_folder_is_left_alone(tmp_path):
    """A folder that is already there is refused, and stays as it was."""
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(ClipExists):
        write_clip(tmp_path, frames=FRAMES, size_px=SIZE_PX, quiet=True)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_folder_below_a_file_is_refused(tmp_path):
    """A place that cannot be a folder is named in the error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ClipNotWritten, match=r"could not write the clip .*/file/clip: "):
        write_clip(tmp_path / "file" / "clip", frames=FRAMES, size_px=SIZE_PX, quiet=True)


@pytest.mark.parametrize("size_px", [0, 254, 257, 1026])
def test_size_outside_the_range_is_refused(tmp_path, size_px):
    """The error names the range and what was asked for."""
    with pytest.raises(InvalidSetting, match=rf"^size must be an even number .* 256 to 1024, got {size_px}$"):
        write_clip(tmp_path / "clip", frames=FRAMES, size_px=size_px)
