"""A picture that shows at one look whether an avatar's crops are right."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from export.contract import BORDER, Geometry, geometry_of_size
from export.footage.clip import Remark
from export.footage.runs import find_runs

__all__ = ["CONTACT_SHEET", "write_contact_sheet"]

CONTACT_SHEET = "contact_sheet.jpg"

FRAMES = 20
COLUMNS = 4
MOST_SETS = 6
MOST_RUNS = 4
FRAMES_PER_SET = 12
TILE_HEIGHT = 240
MARGIN = 6
LINE = 2
QUALITY = 88
BACKGROUND = 245
HEADING_HEIGHT, HEADING_LETTERS = 28, 140
CROP_COLOUR = (60, 200, 60)  # BGR: green for the square that is cut out
MASK_COLOUR = (40, 40, 230)  # red for the rectangle that the network paints

T = TypeVar("T")
Picture = NDArray[Any]  # uint8, BGR; OpenCV's own types say no more


def write_contact_sheet(folder: Path, remarks: Sequence[Remark] = ()) -> None:
    """Write ``contact_sheet.jpg`` into an avatar folder, from the frames that lie there.

    It shows up to 20 frames, evenly spread: the full picture with the crop's square and the mouth's mask drawn in,
    and beside it the face as the network sees it. Below, under the text of each remark that names frames, up to 12 of
    these and the ones beside them; of more than 6 such sets of frames, the first.
    """
    count = len(np.load(folder / "bounds.npy"))
    parts = [_arrange(_tiles(folder, _spread(range(count), FRAMES)))]
    for frames in list(dict.fromkeys(remark.frames for remark in remarks if remark.frames))[:MOST_SETS]:
        parts += [_heading(remark.text) for remark in remarks if remark.frames == frames]
        parts.append(_arrange(_tiles(folder, _frames_around(frames, count))))
    ok, data = cv2.imencode(".jpg", _stack(parts), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert ok
    (folder / CONTACT_SHEET).write_bytes(data.tobytes())


def _frames_around(frames: Sequence[int], count: int) -> list[int]:
    """Return frames that show what was remarked on: of each run some, from the one before it to the one after it.

    They are up to 12, of up to 4 runs, both evenly spread.
    """
    flags = np.zeros(count, np.bool_)
    flags[list(frames)] = True
    runs = _spread(find_runs(flags), MOST_RUNS)
    windows = [range(max(0, run[0] - 1), min(count, run[-1] + 2)) for run in runs]
    return sorted({frame for window in windows for frame in _spread(window, FRAMES_PER_SET // len(runs))})


def _spread(items: Sequence[T], most: int) -> list[T]:
    """Return up to so many of the items, evenly spread, the first and the last among them."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[place] for place in places.tolist()]


def _tiles(folder: Path, chosen: Sequence[int]) -> list[Picture]:
    faces = np.load(folder / "faces.npy", mmap_mode="r")
    bounds = np.load(folder / "bounds.npy")
    return [_tile(i, _full_frame(folder, i), np.array(faces[i]), bounds[i]) for i in chosen]


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


def _heading(text: str) -> Picture:
    """Return a line of text, of letters that OpenCV can write."""
    plain = textwrap.shorten(text.replace("…", "..."), HEADING_LETTERS, placeholder=" ...")
    plain = plain.encode("ascii", "replace").decode()
    (width, _), _ = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    line = np.full((HEADING_HEIGHT, width + 2 * MARGIN, 3), BACKGROUND, np.uint8)
    cv2.putText(line, plain, (MARGIN, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return line


def _stack(parts: Sequence[Picture]) -> Picture:
    """Return pictures of any widths one below the other."""
    width = max(part.shape[1] for part in parts)
    padded = [
        np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=BACKGROUND)
        for part in parts
    ]
    return np.vstack(padded)
