"""export/footage/tracking.py"""

from pathlib import Path

import numpy as np
import pytest

from export.errors import BadSource
from export.footage.clip import Remark
from export.footage.tracking import bridge_gaps, find_faces, find_gaps, smooth_marks, track_face

PATH = Path("talk.mp4")
GRIDS = np.random.default_rng(1).integers(0, 256, (2, 9, 16, 3), dtype=np.uint8)
ROOM, GARDEN = GRIDS.repeat(10, axis=1).repeat(10, axis=2)


def moving(count):
    """Marks of a face that moves by a different amount in each number."""
    return np.arange(count)[:, None] * [2.0, 3.0, -1.0] + [100.0, 300.0, 80.0]


def without(marks, *frames):
    holed = marks.copy()
    holed[list(frames)] = np.nan
    return holed


def column(values):
    return np.repeat(np.asarray(values, float)[:, None], 3, axis=1)


class ScriptedFinder:
    """Finds what the script says, and keeps what it was asked."""

    def __init__(self, found):
        self.found, self.asked, self.anew = list(found), [], []

    def find(self, picture, *, anew=False):
        self.asked.append(picture)
        if anew:
            self.anew.append(len(self.asked) - 1)
        return np.array(self.found[len(self.asked) - 1], float).reshape(-1, 3)


def test_each_picture_is_asked_once_in_order():
    """The finder sees the pictures in order, told where a shot begins; what it finds is kept for each."""
    found = [[[1, 2, 3]], [], [[4, 5, 6], [7, 8, 9]], *[[]] * 6]
    finder, clip = ScriptedFinder(found), [ROOM.copy() for _ in range(2)] + [GARDEN.copy() for _ in range(7)]
    faces, cuts = find_faces(iter(clip), finder, "talk.mp4")
    assert [id(asked) for asked in finder.asked] == [id(picture) for picture in clip]
    assert cuts == finder.anew == [2]
    for face, expected in zip(faces, found, strict=True):
        np.testing.assert_array_equal(face, np.array(expected, float).reshape(-1, 3))


def test_no_picture_no_marks():
    """Of a clip of no pictures nothing is found."""
    assert find_faces([], ScriptedFinder([]), "talk.mp4") == ([], [])


def test_cuts_people_and_gaps_are_said():
    """One face is followed through cuts, jumps and gaps, steady within each shot; and all of that is said."""
    here, there, other = [100, 200, 80], [140, 240, 80], [300, 360, 90]
    found = [[here, other]] * 20 + [[there]] * 8 + [[]] * 2 + [[there]] * 10 + [[other]] * 20
    finder, clip = ScriptedFinder(found), [ROOM] * 40 + [GARDEN] * 20
    marks, remarks = track_face(PATH, clip, finder)
    np.testing.assert_allclose(marks, [here] * 20 + [there] * 20 + [other] * 20)
    assert remarks == (
        Remark("2 cuts, before frames 20, 40: each shot is smoothed on its own", (20, 40)),
        Remark("2 faces in frame 0: the largest is followed", (0,)),
        Remark(
            "the face followed was chosen anew in frame 40, by place and size: is it the same person?", (40,)
        ),
        Remark("no face in 2 of 60 frames (28-29), bridged", (28, 29)),
    )


def test_the_person_is_lost():
    """Where the person followed is away for long, that is refused, though somebody else is there."""
    person, other = [100, 200, 80], [300, 360, 90]
    found = [[person, other]] * 10 + [[other]] * 10 + [[person]] * 5
    with pytest.raises(BadSource) as caught:
        track_face(PATH, [ROOM] * 25, ScriptedFinder(found))
    assert str(caught.value) == (
        "talk.mp4: expected a face in every frame, but for gaps of up to 5, got none of the person followed in 10 of "
        "25 frames; the first gap that is longer begins at frame 10 and lasts 10"
    )


@pytest.mark.parametrize(
    ("frames", "gaps"),
    [
        ([], []),
        ([0, 1], [range(0, 2)]),
        ([9], [range(9, 10)]),
        ([2, 4, 5], [range(2, 3), range(4, 6)]),
        (range(10), [range(0, 10)]),
    ],
)
def test_gaps(frames, gaps):
    """Gaps are the runs of frames without a face."""
    assert find_gaps(without(moving(10), *frames)) == gaps


def test_short_gaps_are_bridged_on_a_straight_line():
    """Gaps of 5 frames between others come out where a steady motion would have been."""
    marks = moving(20)
    np.testing.assert_allclose(bridge_gaps(PATH, without(marks, 3, 4, 5, 6, 7, 10, 14, 15)), marks)


def test_gaps_at_the_ends_take_the_nearest_face():
    """Before the first face and after the last one, the nearest stands in."""
    marks = moving(12)
    bridged = bridge_gaps(PATH, without(marks, 0, 1, 9, 10, 11))
    np.testing.assert_allclose(bridged, marks[[2, 2, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8]])


def test_a_longer_gap_is_refused():
    """Six frames in a row are too many; the sentence counts all, and names the first gap that is too long."""
    marks = without(moving(40), 2, *range(10, 16), *range(20, 30))
    with pytest.raises(BadSource) as caught:
        bridge_gaps(PATH, marks)
    assert str(caught.value) == (
        "talk.mp4: expected a face in every frame, but for gaps of up to 5, got none in 17 of 40 frames; "
        "the first gap that is longer begins at frame 10 and lasts 6"
    )


@pytest.mark.parametrize("count", [3, 40])
def test_no_face_at_all(count):
    """A clip without a single face says so, however short it is."""
    with pytest.raises(BadSource) as caught:
        bridge_gaps(PATH, without(moving(count), *range(count)))
    assert str(caught.value) == f"talk.mp4: expected a face, got none in any of {count} frames"


def test_gaps_are_not_bridged_across_a_cut():
    """At a cut each shot's own neighbour stands in, and in a shot without a face that of the shot before it."""
    marks = moving(12)
    bridged = bridge_gaps(PATH, without(marks, 0, 3, 4, 5, 8, 9, 10), [2, 5, 9, 11])
    np.testing.assert_allclose(bridged, marks[[1, 1, 2, 2, 2, 6, 6, 7, 7, 7, 7, 11]])
    np.testing.assert_allclose(
        bridge_gaps(PATH, without(marks, 0, 1, 2), [2]), marks[[3, 3, 3, *range(3, 12)]]
    )


@pytest.mark.parametrize("starts", [[1], [30], [30, 31, 33], [59]])
def test_smoothing_does_not_look_past_a_cut(starts):
    """At a cut marks jump as the face does; what lies on the other side has no weight."""
    shots = np.zeros(60)
    for start in starts:
        shots[start:] += 200
    np.testing.assert_allclose(smooth_marks(column(shots), starts), column(shots))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 14, 15, 16, 100])
def test_a_still_face_stays(count):
    """Equal marks come out as they are, however short the clip."""
    marks = column(np.full(count, 123.4))
    np.testing.assert_allclose(smooth_marks(marks), marks)


def test_a_steady_turn_stays():
    """A motion whose speed changes evenly comes out as it is; at the ends, within half a frame's step."""
    frames = np.arange(60.0)
    marks = column(0.02 * frames**2 + 0.5 * frames + 40)
    smoothed = smooth_marks(marks)
    np.testing.assert_allclose(smoothed[9:-9], marks[9:-9])
    np.testing.assert_allclose(smoothed, marks, atol=np.diff(marks, axis=0).max() / 2)


@pytest.mark.parametrize("frames", [[30], [30, 31], [0], [59]])
def test_outliers_are_dropped(frames):
    """One or two frames that are far off do not move the crop, also at the ends."""
    marks = column(np.full(60, 100.0))
    marks[frames] += 40
    np.testing.assert_allclose(smooth_marks(marks), 100)


@pytest.mark.parametrize(
    ("frequency_hz", "least", "most"),
    [(0.5, 0.98, 1.0), (1.0, 0.92, 0.98), (2.0, 0.4, 0.6), (4.0, 0, 0.1), (5.0, 0, 0.1), (7.0, 0, 0.1)],
)
def test_heads_pass_and_syllables_do_not(frequency_hz, least, most):
    """Of slow motions nearly all remains, in phase; of those at the pace of syllables less than a tenth."""
    wave = np.sin(2 * np.pi * frequency_hz * np.arange(500) / 25 + 0.7)
    smoothed = smooth_marks(column(wave))[25:-25, 0]
    wave = wave[25:-25]
    gain = smoothed @ wave / (wave @ wave)  # of the part that is in phase with the motion
    assert least <= gain <= most or abs(gain) <= most
    assert smoothed.std() / wave.std() <= max(most, 0.1)


def test_trembling_is_smoothed():
    """Of noise that differs from frame to frame, the change of speed that one sees as shaking falls to under 4 %."""
    noise = np.random.default_rng(3).normal(0, 1, (2000, 3))
    shaking = [np.abs(np.diff(marks, 2, axis=0)).mean() for marks in (noise, smooth_marks(noise))]
    assert shaking[1] < 0.04 * shaking[0]
