"""export/repository/contact_sheet.py"""

import cv2
import numpy as np
import pytest

from export.footage.clip import Remark
from export.repository.contact_sheet import _frames_around, write_contact_sheet

TILE = 240  # height of a frame on the sheet
MARGIN = 6
HEADING = 28  # height of a line of text


def write_frames(folder, count, width=480, height=480, bounds=(120, 120, 360, 360)):
    """Write an avatar's frames: frame i has the grey level 20 + i, its face 120 + i."""
    jpegs = [
        cv2.imencode(".jpg", np.full((height, width, 3), 20 + index, np.uint8))[1].tobytes()
        for index in range(count)
    ]
    (folder / "full_frames.bin").write_bytes(b"".join(jpegs))
    np.save(folder / "full_frame_offsets.npy", np.cumsum([0, *map(len, jpegs)]))
    np.save(folder / "bounds.npy", np.tile(np.array(bounds, np.int32), (count, 1)))
    levels = np.arange(120, 120 + count, dtype=np.uint8)
    np.save(folder / "faces.npy", np.broadcast_to(levels[:, None, None, None], (count, 320, 320, 3)))


def read_sheet(folder, *remarks):
    write_contact_sheet(folder, remarks)
    return cv2.imread(str(folder / "contact_sheet.jpg")).astype(int)


def place(number, full_width):
    """The top left corner of a tile, four of them in a row."""
    return (number // 4) * (TILE + MARGIN) + MARGIN, (number % 4) * (full_width + TILE + MARGIN) + MARGIN


def test_twenty_frames_from_first_to_last(tmp_path):
    """Of a long clip 20 frames are shown, evenly spread, each beside its face."""
    write_frames(tmp_path, 96)
    sheet = read_sheet(tmp_path)
    assert sheet.shape == (5 * (TILE + MARGIN) + MARGIN, 4 * (2 * TILE + MARGIN) + MARGIN, 3)
    corners = [place(number, TILE) for number in range(20)]
    overviews = [sheet[y + 200 : y + 230, x + 200 : x + 230].mean() - 20 for y, x in corners]
    faces = [sheet[y + 100 : y + 130, x + TILE + 100 : x + TILE + 130].mean() - 120 for y, x in corners]
    for shown in (overviews, faces):
        np.testing.assert_allclose(shown, np.arange(20) * 5, atol=1)


def test_square_and_mask_are_drawn(tmp_path):
    """The crop's square is green and the mask red, where the crop's geometry puts them, also on the face."""
    write_frames(tmp_path, 1)
    sheet = read_sheet(tmp_path)
    tile = sheet[MARGIN : MARGIN + TILE, MARGIN : MARGIN + 2 * TILE]
    red = tile[..., 2] - tile[..., 1]
    green = tile[..., 1] - tile[..., 2]
    # The square is 120 to 360 of 480, at half scale; the mask is rows 9 to 313 and columns 9 to 318 of its 328.
    assert green[120, 60] > 80
    assert green[60, 120] > 80
    assert green[120, 179] > 80
    assert green[179, 120] > 80
    assert red[120, 60 + round(9 / 328 * 120)] > 80
    assert red[60 + round(314 / 328 * 120) - 1, 120] > 80
    assert red[120, TILE + round(5 / 320 * TILE)] > 80
    assert red[round(310 / 320 * TILE) - 1, TILE + 120] > 80
    assert abs(red[120, 120]) < 30  # nothing is drawn inside


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (3, 3, 1), (6, 4, 2)])
def test_short_clips(tmp_path, count, columns, rows):
    """A clip shorter than 20 frames shows them all, once each."""
    write_frames(tmp_path, count, 640, 360, (100, 50, 300, 250))
    width = round(640 * TILE / 360)
    assert read_sheet(tmp_path).shape[:2] == (
        rows * (TILE + MARGIN) + MARGIN,
        columns * (width + TILE + MARGIN) + MARGIN,
    )


def shown_below(sheet, rows, headings):
    """The frames shown in rows below so many headings, told by their grey levels; and how dark the text above is."""
    top = 2 * (TILE + MARGIN) + MARGIN + headings * HEADING  # below the 5 to 8 regular tiles
    text = sheet[top - headings * HEADING : top].min()
    corners = [(top + y, x) for y, x in (place(number, TILE) for number in range(4 * rows))]
    levels = [sheet[y + 200 : y + 230, x + 200 : x + 230].mean() - 20 for y, x in corners]
    return [round(level) for level in levels if level < 200], text


def test_what_was_remarked_on_is_shown(tmp_path):
    """Below its text stand the frames of a remark, with the one before and the one after."""
    write_frames(tmp_path, 8)
    sheet = read_sheet(tmp_path, Remark("resampled"), Remark("a cut, before frame 3 …", (3,)))
    assert sheet.shape[0] == 3 * (TILE + MARGIN) + 2 * MARGIN + HEADING
    shown, text = shown_below(sheet, 1, 1)
    assert shown == [2, 3, 4]
    assert text < 100


def test_remarks_on_the_same_frames_share_them(tmp_path):
    """Two remarks on the same frames stand above one row; at the clip's ends there is no frame beside."""
    write_frames(tmp_path, 8)
    sheet = read_sheet(tmp_path, Remark("a gap", (0, 1)), Remark("a cut", (0, 1)))
    assert sheet.shape[0] == 3 * (TILE + MARGIN) + 2 * MARGIN + 2 * HEADING
    assert shown_below(sheet, 1, 2)[0] == [0, 1, 2]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ((20, 60), [19, 20, 21, 59, 60, 61]),
        (tuple(range(5, 95)), [4, 12, 21, 29, 37, 45, 54, 62, 70, 78, 87, 95]),
        ((0, 10, 20, 30, 40, 50, 95), [0, 1, 19, 20, 21, 39, 40, 41, 94, 95]),
    ],
)
def test_of_many_frames_some_are_shown(frames, expected):
    """Of a long run some frames are shown, evenly spread; of many runs four."""
    assert _frames_around(frames, 96) == expected


def test_the_sheet_stays_bounded(tmp_path):
    """However much there is to say, at most six rows are added; a wide text does not widen the sheet."""
    write_frames(tmp_path, 40)
    remarks = [Remark(f"{index} " + "words " * 100, (index,)) for index in range(1, 30, 2)]
    sheet = read_sheet(tmp_path, *remarks)
    assert sheet.shape[:2] == (
        11 * (TILE + MARGIN) + 7 * MARGIN + 6 * HEADING,
        4 * (2 * TILE + MARGIN) + MARGIN,
    )
