"""export/footage/people.py"""

import numpy as np
import pytest

from export.footage.people import LONGEST_GAP, Choice, follow_person

A, B = (300.0, 100.0), (600.0, 70.0)  # places, x and width


def face(x, width=100.0, top=80.0):
    return np.array([x - width / 2, x + width / 2, top])


def seen(*faces):
    """What a finder returns of one picture."""
    return np.array([face(*each) for each in faces], float).reshape(-1, 3)


def centres(followed):
    """Where the face followed is in each frame, x; NaN where it was not seen."""
    return followed.marks[:, :2].mean(axis=1)


def check(followed, xs):
    np.testing.assert_allclose(centres(followed), xs)


def test_the_largest_at_the_beginning_is_followed():
    """Of several faces the largest in the first frame that has any is followed, in whatever order they come."""
    clip = [seen(), seen(B, A), *[seen(A, B), seen(B, A)] * 5]
    followed = follow_person(clip, [])
    check(followed, [np.nan, *[300] * 11])
    assert followed.choices == (Choice(1, 2, is_elsewhere=False),)
    assert followed.starts == ()


def test_the_same_person_when_another_becomes_larger():
    """Who came closer later is not followed."""
    clip = [seen((300 + index, 100 - index), (600, 70 + 3 * index)) for index in range(30)]
    check(follow_person(clip, []), 300 + np.arange(30))


@pytest.mark.parametrize("hidden", range(1, LONGEST_GAP + 1))
def test_hidden_for_a_while(hidden):
    """While the person's face is hidden nobody else is taken, and then the same one again, a little further on."""
    clip = [seen(A, B)] * 10 + [seen(B)] * hidden + [seen((330, 100), B)] * 10
    followed = follow_person(clip, [])
    check(followed, [300] * 10 + [np.nan] * hidden + [330] * 10)
    assert len(followed.choices) == 1


def test_hidden_for_long():
    """However long the person is hidden, the other one is not the person."""
    clip = [seen(A, B)] * 10 + [seen(B)] * 20 + [seen(A, B)] * 10
    check(follow_person(clip, []), [300] * 10 + [np.nan] * 20 + [300] * 10)


def test_the_other_blinks_out_too():
    """Nor is the other one taken who was out of sight when the person vanished, but had been there."""
    clip = [seen(A, B)] * 10 + [seen(A)] * 5 + [seen(B)] * 20
    check(follow_person(clip, []), [300] * 15 + [np.nan] * 20)


@pytest.mark.parametrize("late", [0, 2])
def test_the_person_jumps(late):
    """Who vanishes while somebody appears where nobody was, has jumped: a choice, and the start of a shot."""
    clip = [seen(A, B)] * 10 + [seen(B)] * late + [seen(B, (450, 90))] * 20
    followed = follow_person(clip, [])
    check(followed, [300] * 10 + [np.nan] * late + [450] * 20)
    assert followed.starts == (10 + late,)
    assert followed.choices == (Choice(0, 2, is_elsewhere=False), Choice(10 + late, 2, is_elsewhere=True))


def test_who_passes_is_not_the_person():
    """Who appears for a moment while the person is hidden for long is nobody to follow."""
    clip = [seen(A)] * 10 + [seen((450, 90))] * 3 + [seen()] * 10
    check(follow_person(clip, []), [300] * 10 + [np.nan] * 13)


def test_after_a_cut_the_most_alike():
    """After a cut the face nearest in place and size is taken, whether or not it is where the last one was."""
    clip = [seen(A, B)] * 5 + [seen((800, 60), (420, 110))] * 5 + [seen((430, 105), (200, 140))] * 5
    followed = follow_person(clip, [5, 10])
    check(followed, [300] * 5 + [420] * 5 + [430] * 5)
    assert followed.starts == (5, 10)
    assert followed.choices[1:] == (Choice(5, 2, is_elsewhere=True), Choice(10, 2, is_elsewhere=False))


def test_a_cut_to_nobody():
    """A shot without a face has no choice, and the next one is compared with the last that had one."""
    clip = [seen(A)] * 5 + [seen()] * 3 + [seen((310, 100))] * 5
    followed = follow_person(clip, [5, 8])
    check(followed, [300] * 5 + [np.nan] * 3 + [310] * 5)
    assert followed.choices == (Choice(0, 1, is_elsewhere=False), Choice(8, 1, is_elsewhere=False))


def test_a_head_goes_far_in_a_frame():
    """A head may go by nearly its width a frame, also to where another was; further is not followed."""
    fast = [seen((300 + 90 * index, 100)) for index in range(8)]
    check(follow_person(fast, []), 300 + 90 * np.arange(8))
    check(follow_person([*fast[:4], seen((690, 100))], []), [300, 390, 480, 570, np.nan])


def test_cheek_to_cheek():
    """While the person is hidden, one so near that it could be the person is not, having been there before."""
    clip = [seen(A, (390, 90))] * 10 + [seen((385, 90))] * 4 + [seen(A, (380, 90))] * 10
    check(follow_person(clip, []), [300] * 10 + [np.nan] * 4 + [300] * 10)


def test_a_dissolve():
    """Who shows through while the old picture is still to be seen, and stays, has come in a dissolve."""
    clip = [seen(A)] * 40 + [seen(A, B)] * 8 + [seen(B)] * 20
    followed = follow_person(clip, [])
    check(followed, [300] * 48 + [600] * 20)
    assert followed.choices[1:] == (Choice(48, 1, is_elsewhere=True),)


def test_a_face_of_another_size_is_another():
    """A face in the same place but twice as large, or half, is not the same."""
    check(follow_person([seen(A), seen((300, 200)), seen(A)], []), [300, np.nan, 300])
    check(follow_person([seen(A), seen((300, 50)), seen(A)], []), [300, np.nan, 300])


def test_after_a_cut_size_counts():
    """After a cut a face a little further off but as large as the last one is taken before a small one."""
    check(follow_person([seen(A), seen((310, 40), (350, 100))], [1]), [300, 350])


def test_nobody():
    """Of a clip without faces nothing is followed and nothing chosen."""
    followed = follow_person([seen()] * 3, [1])
    assert np.isnan(followed.marks).all()
    assert followed.marks.shape == (3, 3)
    assert followed.choices == ()
