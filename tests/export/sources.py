"""Small real clips in each of the three forms an avatar is imported from."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from speech.wav import write_wav

FRAMES = 6
WIDTH, HEIGHT = 256, 224
POINTS = 110


@dataclass(frozen=True)
class Source:
    """A written clip, and what it was written from.

    Attributes:
        folder: Holds all of it.
        pictures: The full pictures, BGR, as any reader decodes them.
        squares: x1, y1, x2, y2 of each frame's crop.
        features: (T, 512) float32.
        sound: (S,) int16 at 16 kHz; empty if it was written without.
    """

    folder: Path
    pictures: list[np.ndarray]
    squares: list[list[int]]
    features: np.ndarray
    sound: np.ndarray

    @property
    def arguments(self) -> list[str]:
        """The options of ``python -m export avatar`` that name it."""
        if (self.folder / "full_body_img").is_dir():
            return ["--dataset", str(self.folder)]
        if (self.folder / "package_info.json").is_file():
            return ["--package", str(self.folder)]
        landmarks, features = self.folder / "landmarks", self.folder / "features.npy"
        video = self.folder / "video.avi"
        return [
            *("--video", str(video)),
            *("--landmarks", str(landmarks)),
            *("--audio-features", str(features)),
        ]

    @property
    def faces(self) -> list[np.ndarray]:
        """The faces cut by the published recipe: bicubic to 328x328, rows and columns 4 to 323."""
        crops = [
            picture[y1:y2, x1:x2]
            for picture, (x1, y1, x2, y2) in zip(self.pictures, self.squares, strict=True)
        ]
        return [cv2.resize(crop, (328, 328), interpolation=cv2.INTER_CUBIC)[4:324, 4:324] for crop in crops]


def smooth_picture(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Return a picture of soft blots, which codecs keep small."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


def write_landmarks(path: Path, left: float, right: float, top: float) -> None:
    """Write a ``.lms`` file whose points 1, 31 and 52 say where the face is."""
    points = np.random.default_rng(5).uniform(60, 180, (POINTS, 2))
    points[1, 0], points[31, 0], points[52, 1] = left, right, top
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{x:.4f} {y:.4f}\n" for x, y in points))


def write_video(path: Path, pictures: list[np.ndarray], fps: float = 25.0) -> None:
    """Write a lossless video."""
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), fps, (width, height))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(picture)
    writer.release()


def speech_features(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(0, 1.5, (count, 512)).astype(np.float32)


def clip_sound() -> np.ndarray:
    """Return noise as long as the clip: (S,) int16 at 16 kHz."""
    return np.random.default_rng(3).integers(-32768, 32768, FRAMES * 640).astype(np.int16)


def write_dataset(folder: Path) -> Source:
    folder.mkdir()
    (folder / "full_body_img").mkdir()
    squares = _write_all_landmarks(folder / "landmarks")
    for index in range(FRAMES):
        cv2.imwrite(str(folder / "full_body_img" / f"{index}.jpg"), smooth_picture(index))
    np.save(folder / "aud_ave.npy", speech_features(FRAMES))
    pictures = [cv2.imread(str(folder / "full_body_img" / f"{index}.jpg")) for index in range(FRAMES)]
    write_wav(folder / "aud.wav", clip_sound())
    return Source(folder, pictures, squares, speech_features(FRAMES), clip_sound())


def write_video_source(folder: Path, fps: float = 25.0) -> Source:
    folder.mkdir()
    squares = _write_all_landmarks(folder / "landmarks")
    pictures = [smooth_picture(index) for index in range(FRAMES)]
    write_video(folder / "video.avi", pictures, fps)
    np.save(folder / "features.npy", speech_features(FRAMES))
    return Source(folder, pictures, squares, speech_features(FRAMES), np.zeros(0, np.int16))


def write_package(folder: Path) -> Source:
    """Write a version 2.0 package; features are one fewer than frames, as in published ones (522 for 523)."""
    folder.mkdir()
    (folder / "cache").mkdir()
    pictures = [smooth_picture(index) for index in range(FRAMES)]
    squares = [[40 + index, 30, 200 + index, 190] for index in range(FRAMES)]
    source = Source(folder, pictures, squares, speech_features(FRAMES - 1), clip_sound())
    write_wav(folder / "aud.wav", source.sound)
    write_video(folder / "full_body_video.avi", pictures)
    write_video(folder / "rois_320_video.avi", source.faces)
    np.save(folder / "aud_ave.npy", source.features)
    rectangles = {str(index): {"rect": square} for index, square in enumerate(squares)}
    (folder / "cache" / "crop_rectangles.json").write_text(json.dumps(rectangles))
    videos = {
        name: {"video_file": f"{name}.avi", "frame_count": FRAMES, "fps": 25.0}
        for name in ("full_body_video", "rois_320_video")
    }
    info = {
        "dataset_name": folder.name,
        "version": "2.0",
        "videos": videos,
        "original_shape": [HEIGHT, WIDTH, 3],
    }
    (folder / "package_info.json").write_text(json.dumps(info))
    return source


LIVETALKING_SQUARES = [(40 + index, 30, 200 + index, 190) for index in range(FRAMES)]


def write_livetalking(folder: Path) -> Path:
    """Write an avatar folder as LiveTalking's generator does, its coordinates being NumPy's numbers."""
    for name in ("full_imgs", "face_imgs"):
        (folder / name).mkdir(parents=True)
    for index, (x1, y1, x2, y2) in enumerate(LIVETALKING_SQUARES):
        picture = smooth_picture(index)
        crop = cv2.resize(picture[y1:y2, x1:x2], (168, 168), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / "full_imgs" / f"{index:08d}.png"), picture)
        cv2.imwrite(str(folder / "face_imgs" / f"{index:08d}.png"), crop)
    squares = [tuple(np.array(square, np.int64)) for square in LIVETALKING_SQUARES]
    (folder / "coords.pkl").write_bytes(pickle.dumps(squares))
    return folder


def edit_json(path: Path, *keys: str, value: object) -> None:
    """Replace one value of a JSON file."""
    content = json.loads(path.read_text())
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(content))


def tree(folder: Path) -> dict[str, str]:
    """Return every path below a folder, with a digest of each file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


def _write_all_landmarks(folder: Path) -> list[list[int]]:
    """Write a face that drifts to the right by a pixel and a bit each frame; return its squares."""
    squares = []
    for index in range(FRAMES):
        left, right, top = 40.9 + 1.2 * index, 200.3 + 1.2 * index, 30.7
        write_landmarks(folder / f"{index}.lms", left, right, top)
        squares.append([int(left), int(top), int(right), int(top) + int(right) - int(left)])
    return squares
