"""Find the faces in a picture, and the three numbers of each that the crop needs.

MediaPipe's two networks do it: BlazeFace finds the face, Face Mesh lays 468 points on it. Their files come inside
MediaPipe's wheel and OpenCV runs them, so that neither MediaPipe's own code nor its dependencies are needed.

The published crop is told by points 1, 31 and 52 of 110. On the mesh these are 234 and 454, where the outline of the
face passes the ears, and 6, the bridge of the nose between the eyes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from export.errors import MissingFaceModels

__all__ = ["FaceFinder", "MediaPipeFaceFinder", "find_models"]

Array = NDArray[np.float64]

DETECTOR_FILE = Path("face_detection") / "face_detection_short_range.tflite"
MESH_FILE = Path("face_landmark") / "face_landmark.tflite"

DETECTOR_SIZE = 128
ANCHOR_GRIDS = ((16, 2), (8, 6))  # cells a side, and boxes predicted in each
SMALLEST_SCORE = 0.5
LEFT_EYE, RIGHT_EYE = (
    2,
    3,
)  # among a box's points: centre, size, eyes, nose, mouth, ears; sides as in the picture

MESH_SIZE = 192
MESH_LEFT, MESH_RIGHT, MESH_TOP = 234, 454, 6
MESH_LEFT_EYE, MESH_RIGHT_EYE = 33, 263  # outer corners
MESH_MARGIN = (
    1.5  # side of the square the mesh network sees, in sides of the face's box: what it was trained on
)
MESH_PASSES = 2  # the second one is cut by the first one's points, which tremble less than the box

NEIGHBOURHOOD = 3.0  # side of the square searched around a face that is known, in sides of its box
MOST_KNOWN = 6  # faces that are looked for where they were: of a crowd, the first and largest
LONGEST_ABSENCE = 6  # pictures in a row for which a face that is hidden is looked for
SEARCH_EVERY = 25  # pictures: who comes in is seen within a second


class FaceFinder(Protocol):
    """Finds the faces in the pictures of a clip, asked in their order."""

    def find(self, picture: NDArray[np.uint8], *, anew: bool = False) -> Array:
        """Return left x, right x and top y of each face's crop, (K, 3) float64 pixels; K is 0 where no face is.

        Args:
            picture: HxWx3 uint8 BGR.
            anew: Whether the picture begins a shot: faces are not where they were.
        """
        ...


@dataclass(frozen=True)
class _Box:
    """A face's place.

    Attributes:
        centre: (2,) float64, x and y in pixels.
        side: In pixels.
        angle: Of the line through the eyes, in radians.
    """

    centre: Array
    side: float
    angle: float


@dataclass(frozen=True)
class _Face:
    """A face that was seen.

    Attributes:
        box: Where it was seen last.
        marks: (3,) float64: left x, right x, top y of its crop.
        absent_for: Pictures in a row since.
    """

    box: _Box
    marks: Array
    absent_for: int = 0


class MediaPipeFaceFinder:
    """Finds faces where those of the picture before were; now and then, and when one is missing, in the whole picture.

    Raises:
        MissingFaceModels: If MediaPipe's wheel is not installed, or is one without model files.
    """

    def __init__(self) -> None:
        models = find_models()
        self._detector = cv2.dnn.readNetFromTFLite(str(models / DETECTOR_FILE))
        self._mesh = cv2.dnn.readNetFromTFLite(str(models / MESH_FILE))
        self._anchors = _anchors()
        self._known: list[_Face] = []
        self._since_search = 0  # pictures since the last search

    def find(self, picture: NDArray[np.uint8], *, anew: bool = False) -> Array:
        """Find the faces in the next picture, HxWx3 uint8 BGR; ``anew``: it begins a shot.

        Returns:
            (K, 3) float64: left x, right x and top y of their crops, in pixels.
        """
        known = [] if anew else self._known
        found = [self._follow(picture, face, known) for face in known]
        seen = [face for face in found if face is not None]
        self._since_search += 1
        if len(seen) < max(1, len(known)) or self._since_search >= SEARCH_EVERY:
            seen += self._search(picture, seen)
            self._since_search = 0
        absent = [face for face, now in zip(known, found, strict=True) if now is None]
        still = [
            replace(face, absent_for=face.absent_for + 1) for face in absent if not _is_among(face.box, seen)
        ]
        still = [face for face in still if face.absent_for <= LONGEST_ABSENCE]
        self._known = [*seen[:MOST_KNOWN], *still[:MOST_KNOWN]]
        return np.array([face.marks for face in seen], np.float64).reshape(-1, 3)

    def _follow(self, picture: NDArray[np.uint8], face: _Face, known: Sequence[_Face]) -> _Face | None:
        """Return a known face where it is now, unless what is there is one of the others."""
        around = _Box(face.box.centre, face.box.side * NEIGHBOURHOOD, 0.0)
        boxes = self._detect(picture, around)
        if not boxes:
            return None
        now = self._mark(picture, min(boxes, key=lambda box: _distance(box, face.box)))
        if now is None or min(known, key=lambda other: _distance(now.box, other.box)) is not face:
            return None
        return now if _distance(now.box, face.box) < face.box.side else None

    def _search(self, picture: NDArray[np.uint8], seen: Sequence[_Face]) -> list[_Face]:
        """Return the faces of a picture that are not seen yet, the largest first."""
        height, width = picture.shape[:2]
        new: list[_Face] = []
        for box in (box for window in _windows(width, height) for box in self._detect(picture, window)):
            if not _is_among(box, [*seen, *new]):
                face = self._mark(picture, box)
                if face is not None and not _is_among(face.box, [*seen, *new]):
                    new.append(face)
        return sorted(new, key=lambda face: -face.box.side)

    def _mark(self, picture: NDArray[np.uint8], box: _Box) -> _Face | None:
        """Return the face in a box, or None if it is none."""
        points = self._lay_mesh(picture, box)
        if points is None:
            return None
        marks = np.array([points[MESH_LEFT, 0], points[MESH_RIGHT, 0], points[MESH_TOP, 1]])
        return _Face(_box_of_mesh(points), marks)

    def _detect(self, picture: NDArray[np.uint8], window: _Box) -> list[_Box]:
        """Return the boxes of the faces in a window."""
        square, to_picture = _cut(picture, window, DETECTOR_SIZE)
        values = cv2.dnn.blobFromImage(square, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True)
        self._detector.setInput(values)  # -1 to 1, RGB
        logits, places = self._detector.forward(["classificators", "regressors"])
        scores = _sigmoid(logits.reshape(-1))  # (896,)
        points = np.asarray(places, np.float64).reshape(-1, 8, 2)  # (896, 8, 2): pixels from the anchor
        points[:, 0] += self._anchors
        boxes = []
        for best in _choose(scores, points[:, 0], points[:, 1].max(axis=1)):
            centre = to_picture[:, :2] @ points[best, 0] + to_picture[:, 2]
            side = float(points[best, 1].max()) * window.side / DETECTOR_SIZE
            boxes.append(_Box(centre, side, _angle(points[best, LEFT_EYE], points[best, RIGHT_EYE])))
        return boxes

    def _lay_mesh(self, picture: NDArray[np.uint8], box: _Box) -> Array | None:
        """Return the mesh of a face, (468, 2) float64 pixels of the picture, or None where it sees no face."""
        for _ in range(MESH_PASSES):
            window = _Box(box.centre, box.side * MESH_MARGIN, box.angle)
            square, to_picture = _cut(picture, window, MESH_SIZE)
            self._mesh.setInput(cv2.dnn.blobFromImage(square, 1 / 255, swapRB=True))  # 0 to 1, RGB
            logit, values = sorted(self._mesh.forward(self._mesh.getUnconnectedOutLayersNames()), key=np.size)
            if _sigmoid(logit).item() < SMALLEST_SCORE:
                return None
            points: Array = values.reshape(-1, 3)[:, :2] @ to_picture[:, :2].T + to_picture[:, 2]
            box = _box_of_mesh(points)
        return points


def find_models() -> Path:
    """Return the folder of MediaPipe's model files; its code is not imported.

    Raises:
        MissingFaceModels: If the wheel is not installed, or is one without them (0.10.30 and later).
    """
    spec = importlib.util.find_spec("mediapipe")
    for package in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(package) / "modules"
        if (folder / DETECTOR_FILE).is_file() and (folder / MESH_FILE).is_file():
            return folder
    raise MissingFaceModels


def _choose(scores: Array, centres: Array, sides: Array) -> Iterator[int]:
    """Yield which of the detector's boxes to take: the surest of each face's, the largest face first."""
    left = scores >= SMALLEST_SCORE
    while left.any():
        first = int(np.argmax(np.where(left, sides, -np.inf)))
        is_of_face = left & (np.linalg.norm(centres - centres[first], axis=1) < sides[first] / 2)
        yield int(np.argmax(np.where(is_of_face, scores, 0)))
        left &= ~is_of_face


def _windows(width: int, height: int) -> Iterator[_Box]:
    """Yield the squares to search: the whole picture, then smaller parts, each half over the next.

    The detector sees 128x128 pixels and needs a face of about a tenth of them.
    """
    yield _Box(np.array([width, height]) / 2, float(max(width, height)), 0.0)
    for side in (min(width, height), min(width, height) / 2):
        columns, rows = (int(np.ceil(2 * length / side)) - 1 for length in (width, height))
        for y in np.linspace(side / 2, height - side / 2, rows):
            for x in np.linspace(side / 2, width - side / 2, columns):
                yield _Box(np.array([x, y]), side, 0.0)


def _is_among(box: _Box, faces: Sequence[_Face]) -> bool:
    """Return whether a box is of a face that is seen already."""
    return any(_distance(box, face.box) < max(box.side, face.box.side) / 2 for face in faces)


def _distance(box: _Box, other: _Box) -> float:
    return float(np.linalg.norm(box.centre - other.centre))


def _cut(picture: NDArray[np.uint8], window: _Box, size: int) -> tuple[NDArray[np.uint8], Array]:
    """Cut a turned square out of a picture, black where it reaches past it.

    Returns:
        The square, size x size x 3 uint8 BGR, and the (2, 3) float64 map from its pixels to the picture's.
    """
    shrink = max(1, int(window.side / size))  # sampled so much finer, then averaged: a face must not alias
    scale = window.side / (size * shrink)
    cosine, sine = np.cos(window.angle) * scale, np.sin(window.angle) * scale
    to_picture = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
    to_picture[:, 2] = window.centre - to_picture[:, :2] @ [size * shrink / 2, size * shrink / 2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    fine = cv2.warpAffine(picture, to_picture, (size * shrink, size * shrink), flags=flags)
    square = cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)
    return square, to_picture * [shrink, shrink, 1]  # type: ignore[return-value]


def _box_of_mesh(points: Array) -> _Box:
    low, high = points.min(axis=0), points.max(axis=0)
    return _Box(
        (low + high) / 2, float((high - low).max()), _angle(points[MESH_LEFT_EYE], points[MESH_RIGHT_EYE])
    )


def _angle(left: Array, right: Array) -> float:
    return float(np.arctan2(right[1] - left[1], right[0] - left[0]))


def _anchors() -> Array:
    """Return the places that the detector's boxes count from: (896, 2) float64, x and y in its pixels."""
    grids = []
    for cells, boxes in ANCHOR_GRIDS:
        rows, columns = np.mgrid[:cells, :cells]
        centres = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) * DETECTOR_SIZE / cells
        grids.append(centres.repeat(boxes, axis=0))
    return np.concatenate(grids)


def _sigmoid(logits: NDArray[Any]) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -80, 80))), np.float64)
