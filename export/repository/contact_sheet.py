"""A picture that shows at one look whether an avatar's crops are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from export.contract import BORDER, Geometry, geometry_of_size

__all__ = ["CONTACT_SHEET", "write_contact_sheet"]

CONTACT_SHEET = "contact_sheet.jpg"

FRAMES = 20
COLUMNS = 4
TILE_HEIGHT = 240
MARGIN = 6
LINE = 2
QUALITY = 88
BACKGROUND = 245
CROP_COLOUR = (60, 200, 60)  # BGR: green for the square that is cut out
MASK_COLOUR = (40, 40, 230)  # red for the rectangle that the network paints

Picture = NDArray[Any]  # uint8, BGR; OpenCV's own types say no more


def write_contact_sheet(folder: Path) -> None:
    """Write ``contact_sheet.jpg`` into an avatar folder, from the frames that lie there.

    It shows up to 20 frames, evenly spread: the full picture with the crop's square and the mouth's mask drawn in,
    and beside it the face as the network sees it.
    """
    faces = np.load(folder / "faces.npy", mmap_mode="r")
    bounds = np.load(folder / "bounds.npy")
    count = min(FRAMES, len(faces))
    chosen = np.linspace(0, len(faces) - 1, count).round().astype(int)
    tiles = [_tile(i, _full_frame(folder, i), np.array(faces[i]), bounds[i]) for i in chosen.tolist()]
    ok, data = cv2.imencode(".jpg", _arrange(tiles), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert ok
    (folder / CONTACT_SHEET).write_bytes(data.tobytes())


def _full_frame(folder: Path, index: int) -> Picture:
    start, end = np.load(folder / "full_frame_offsets.npy")[index : index + 2].tolist()
    with (folder / "full_frames.bin").open("rb") as file:
        file.seek(start)
        data = np.frombuffer(file.read(end - start), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def _tile(index: int, full: Picture, face: Picture, bounds: NDArray[np.int32]) -> Picture:
    """Return one frame's two pictures side by side, TILE_HEIGHT high."""
    scale = TILE_HEIGHT / full.shape[0]
    width = max(1, round(full.shape[1] * scale))
    overview = cv2.resize(full, (width, TILE_HEIGHT), interpolation=cv2.INTER_AREA)
    corners = bounds.reshape(2, 2).astype(np.float64)
    _draw(overview, corners * scale, CROP_COLOUR)
    geometry = geometry_of_size(face.shape[0])
    assert geometry is not None, face.shape
    _draw(overview, (corners[0] + (corners[1] - corners[0]) * _mask_in_crop(geometry)) * scale, MASK_COLOUR)
    cv2.putText(overview, str(index), (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(overview, str(index), (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    close_up = cv2.resize(face, (TILE_HEIGHT, TILE_HEIGHT), interpolation=cv2.INTER_AREA)
    _draw(close_up, _mask(geometry) * TILE_HEIGHT / face.shape[0], MASK_COLOUR)
    return np.hstack([overview, close_up])


def _mask(geometry: Geometry) -> NDArray[np.float64]:
    """Return the mask's corners in the face's pixels: [[x1, y1], [x2, y2]]."""
    return np.array([geometry.mask_columns, geometry.mask_rows], np.float64).T


def _mask_in_crop(geometry: Geometry) -> NDArray[np.float64]:
    """Return the mask's corners in parts of the crop's square."""
    return (_mask(geometry) + BORDER) / geometry.crop_size


def _draw(picture: Picture, corners: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
    (x1, y1), (x2, y2) = corners.round().astype(int).tolist()
    cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), colour, LINE)


def _arrange(tiles: list[Picture]) -> Picture:
    """Return the tiles in rows of four; their sizes are equal unless a dataset mixes picture sizes."""
    width = max(tile.shape[1] for tile in tiles) + MARGIN
    height = TILE_HEIGHT + MARGIN
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * height + MARGIN, columns * width + MARGIN, 3), BACKGROUND, np.uint8)
    for index, tile in enumerate(tiles):
        y, x = (index // columns) * height + MARGIN, (index % columns) * width + MARGIN
        sheet[y : y + TILE_HEIGHT, x : x + tile.shape[1]] = tile
    return sheet
