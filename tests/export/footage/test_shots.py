"""export/footage/shots.py"""

import cv2
import numpy as np
import pytest

from demo.face import FaceRenderer
from export.footage.shots import LONGEST_INTERRUPTION, find_jumps, mark_cuts
from tests.character import spoken_poses
from tests.export.recordings import astronaut

SIZE = 320, 180


def scene(seed, width=SIZE[0], height=SIZE[1]):
    """A picture with things of all sizes in it, as photographs have: blots on blots."""
    random = np.random.default_rng(seed)
    layers = [random.integers(0, 256, (rows, rows * 2, 3), dtype=np.uint8) for rows in (4, 8, 16, 32)]
    blots = [cv2.resize(layer, (width, height), interpolation=cv2.INTER_CUBIC) for layer in layers]
    return np.mean(blots, axis=0).astype(np.uint8)


def cuts(pictures):
    return [index for index, (_, is_cut) in enumerate(mark_cuts(pictures)) if is_cut]


def lit(picture, light):
    return np.clip(picture * np.asarray(light), 0, 255).astype(np.uint8)


def panned(step, blur=1):
    """A pan over a wide scene, ``step`` pixels a frame, each smeared over its way if ``blur`` says so."""
    wide = np.hstack([scene(seed) for seed in range(4)])
    ways = [[round(index * step + step * part / blur) for part in range(blur)] for index in range(20)]
    return [np.mean([wide[:, x : x + SIZE[0]] for x in way], axis=0).astype(np.uint8) for way in ways]


def zoomed(times):
    turns = [cv2.getRotationMatrix2D((160, 90), 0, times**index) for index in range(12)]
    return [cv2.warpAffine(scene(2, 640, 360), turn, SIZE) for turn in turns]


def hidden(picture, share):
    """A hand before the lens: so much of the picture, from its middle outwards, is grey."""
    height, width = picture.shape[:2]
    y, x = round(height * (1 - share) / 2), round(width * (1 - share) / 2)
    covered = picture.copy()
    covered[y : height - y, x : width - x] = 128
    return covered


def head_before(background, xs):
    """A portrait that moves before a background."""
    portrait = cv2.resize(astronaut()[:256, 96:352], (110, 110), interpolation=cv2.INTER_AREA)
    pictures = [background.copy() for _ in xs]
    for picture, x in zip(pictures, xs, strict=True):
        picture[60:170, x : x + 110] = portrait
    return pictures


def faded(picture, frames=10):
    return [lit(picture, 1 - index / frames) for index in range(frames + 1)]


NOISE = np.random.default_rng(8).normal(0, 15, (20, SIZE[1], SIZE[0], 3))

ONE_SHOT = {
    "a still": lambda: [scene(1)] * 20,
    "grain": lambda: [np.clip(scene(1) + noise, 0, 255).astype(np.uint8) for noise in NOISE],
    "grain in the dark": lambda: [np.clip(noise, 0, 9).astype(np.uint8) for noise in NOISE],
    "light off": lambda: [scene(1)] * 10 + [lit(scene(1), 0.3)] * 10,
    "light on": lambda: [lit(scene(1), 0.5)] * 10 + [lit(scene(1), 1.3)] * 10,
    "another lamp": lambda: [
        lit(scene(1), np.linspace(low, 1.6 - low, SIZE[0])[None, :, None])
        for low in (0.4,) * 10 + (1.2,) * 10
    ],
    "a flash": lambda: [scene(1)] * 8 + [np.full_like(scene(1), 255)] * 2 + [scene(1)] * 8,
    "flicker": lambda: [lit(scene(1), 1 - 0.4 * (index % 2)) for index in range(20)],
    "a hand before the lens": lambda: (
        [scene(1)] * 8 + [hidden(scene(1), 1)] * LONGEST_INTERRUPTION + [scene(1)] * 8
    ),
    "a face hidden": lambda: [scene(1)] * 10 + [hidden(scene(1), 0.5)] * 10,
    "a glimpse of something else": lambda: (
        [scene(1)] * 8 + [scene(2)] * LONGEST_INTERRUPTION + [scene(1)] * 8
    ),
    "a slow pan": lambda: panned(4),
    "a fast pan": lambda: panned(40),
    "a fast pan, blurred": lambda: panned(40, blur=8),
    "a zoom": lambda: zoomed(1.05),
    "a fast head": lambda: head_before(scene(3), range(0, 200, 15)),
    "a fade out and in": lambda: [*faded(scene(1)), *faded(scene(1))[::-1]],
    "a dissolve": lambda: [
        cv2.addWeighted(scene(1), 1 - part, scene(2), part, 0) for part in np.linspace(0, 1, 15)
    ],
}


@pytest.mark.parametrize("kind", ONE_SHOT)
def test_no_cut(kind):
    """What happens within a shot is no cut: light, motion of camera and people, grain, what hides the view."""
    assert cuts(ONE_SHOT[kind]()) == []


def test_talking_is_no_cut():
    """The demo's character talks, blinks and moves its head for four seconds without a cut."""
    renderer = FaceRenderer(192)
    assert cuts([renderer.draw(pose) for pose in spoken_poses(100)]) == []


@pytest.mark.parametrize("seed", range(10))
def test_a_cut_is_before_the_first_other_picture(seed):
    """A cut to another scene is found at the very picture, and no other."""
    assert cuts([scene(seed)] * 9 + [scene(seed + 1)] * 9) == [9]


def test_closer_is_a_cut():
    """An editor's jump to a closer picture of the same is a cut."""
    picture = cv2.resize(astronaut(), SIZE[::-1], interpolation=cv2.INTER_AREA)
    closer = cv2.resize(astronaut()[:300, 60:360], SIZE[::-1], interpolation=cv2.INTER_AREA)
    assert cuts([picture] * 8 + [closer] * 8) == [8]


def test_short_shots():
    """A shot of a few pictures between two others has two cuts; longer than an interruption, between the same, too."""
    assert cuts([scene(1)] * 8 + [scene(2)] * 3 + [scene(3)] * 8) == [8, 11]
    other = [scene(2)] * (LONGEST_INTERRUPTION + 1)
    assert cuts([scene(1)] * 8 + other + [scene(1)] * 8) == [8, 8 + len(other)]


def test_first_and_last_pictures():
    """A cut before the last picture is found, and one after the first; before the first there is none."""
    assert cuts([scene(1), *[scene(2)] * 8, scene(3)]) == [1, 9]
    assert cuts([scene(1)]) == []
    assert cuts([]) == []


def test_another_size_is_a_cut():
    """Where a video goes on in another shape, it was cut."""
    assert cuts([scene(1)] * 3 + [scene(1, 180, 320)] * 3) == [3]


def test_pictures_pass_as_they_are():
    """Every picture comes once, in order, and few are read ahead."""
    pictures, taken = [scene(index) for index in range(12)], []

    def read():
        for picture in pictures:
            taken.append(picture)
            yield picture

    for index, (picture, _) in enumerate(mark_cuts(read())):
        assert picture is pictures[index]
        assert len(taken) <= index + 1 + LONGEST_INTERRUPTION


def at(xs, width=100.0):
    """Marks of a face at these places."""
    xs, widths = np.broadcast_arrays(np.asarray(xs, float), width)
    return np.stack([xs - widths / 2, xs + widths / 2, np.full(len(xs), 80.0)], axis=1)


def test_a_jump():
    """Where the face is suddenly elsewhere and stays there, it jumps; also where it trembles before and after."""
    tremble = np.random.default_rng(4).normal(0, 1.5, (40, 3))
    assert find_jumps(at([300] * 20 + [330] * 20) + tremble) == [20]
    assert find_jumps(at([300] * 39 + [340])) == [39]
    assert find_jumps(at([300] + [340] * 39)) == [1]


def test_a_jump_in_size():
    """A face that is suddenly larger, in the same place, jumps."""
    assert find_jumps(at([300] * 40, [100] * 20 + [130] * 20)) == [20]


@pytest.mark.parametrize(
    "xs",
    [
        300 + 60 * np.sin(2 * np.pi * 2 * np.arange(60) / 25),
        [300] * 10 + [*range(300, 500, 25)] + [500] * 10,
        [300] * 10 + [345] + [300] * 10,
        [300] * 10 + [315] * 10,
        [300] * 10 + [np.nan] * 3 + [350] * 10,
        [np.nan] * 20,
        np.repeat(300 + 30 * np.arange(15), 2),
        np.repeat(300 + 60 * np.sin(np.arange(24) / 2), 5),
    ],
    ids=[
        "shaken",
        "dashing",
        "an outlier",
        "small",
        "after a gap",
        "none",
        "pictures repeated",
        "5 a second",
    ],
)
def test_motion_is_no_jump(xs):
    """A head that moves, however fast, does so over several frames; and what a frame got wrong is not a jump."""
    assert find_jumps(at(xs)) == []
