import numpy as np
import pytest

from demo.errors import UnknownPhoneme
from demo.visemes import KNOWN, REACH_S, REST, mouth_poses
from demo.voices import SILENCE, Phoneme

FIELDS = ("opening", "width", "rounding", "tongue", "teeth", "bite")


def said(*names: str, each_s: float = 0.12, lead_s: float = 0.4) -> list[Phoneme]:
    """Return phonemes of even length, between two pauses."""
    times = lead_s + each_s * np.arange(len(names) + 1)
    middle = [Phoneme(n, a, b) for n, a, b in zip(names, times, times[1:], strict=False)]
    return [Phoneme(SILENCE, 0, lead_s), *middle, Phoneme(SILENCE, times[-1], times[-1] + lead_s)]


def table(phonemes: list[Phoneme], frames: int) -> np.ndarray:
    return np.array([[getattr(pose, name) for name in FIELDS] for pose in mouth_poses(phonemes, frames)])


def during(name: str) -> dict[str, float]:
    """Return the mouth in the middle of a phoneme of 0.2 s between two schwas."""
    rows = table(said("@", name, "@", each_s=0.2), 30)
    return dict(zip(FIELDS, rows[17], strict=True))


@pytest.mark.parametrize("name", ["p", "b", "m"])
def test_lips_close_at_bilabials_even_between_open_vowels(name):
    """A short p, b or m between two "ah" has a frame with the lips together, and the vowels are open."""
    opening = table(said("A:", name, "A:", each_s=0.09), 30)[:, 0]
    assert opening[12:15].min() == 0
    assert opening[10:12].max() > 0.35
    assert opening[15:18].max() > 0.35


def test_each_sound_has_its_shape():
    """Open for "ah", wide for "ee", round for "oo" and "w", teeth for "s", bitten lip for "f", tongue for "l"."""
    assert during("A:")["opening"] > 0.8
    assert during("i:")["width"] > 0.9
    assert during("u:")["rounding"] > 0.9
    assert during("u:")["width"] < 0.2
    assert during("w")["rounding"] > 0.8
    assert during("s")["teeth"] > 0.8
    assert during("f")["bite"] > 0.8
    assert during("l")["tongue"] > 0.8


def test_silence_closes_the_mouth_to_rest():
    """From a fifth of a second into a pause the mouth is closed, and has its resting width."""
    rows = table(said("A:", "i:", "s"), 40)
    late = rows[int((0.4 + 0.36 + 0.2) * 25) + 1 :]
    np.testing.assert_array_equal(late[:, [0, 3, 4]], 0)
    np.testing.assert_allclose(late[:, 1], REST.width, atol=0.02)


def test_short_gap_between_words_does_not_close_the_mouth():
    """A silence of 50 ms between vowels leaves the mouth open."""
    gap = [Phoneme("a", 0.4, 0.6), Phoneme(SILENCE, 0.6, 0.65), Phoneme("a", 0.65, 0.85)]
    assert table(gap, 30)[11:20, 0].min() > 0.5


def test_rounding_carries_through_a_consonant():
    """A "t" between two "oo" is round; between two "ee" it is wide."""
    assert table(said("u:", "t", "u:"), 30)[14, 2] > 0.5
    assert table(said("i:", "t", "i:"), 30)[14, 1] > 0.7


def test_mouth_depends_on_near_sound_alone():
    """What is said more than 0.3 s away, and the motion blur, changes nothing."""
    one = table(said("a", "t", "s", "i:", "a", "a", "a", "a", "k", "m"), 50)
    other = table(said("a", "t", "s", "i:", "a", "a", "a", "a", "u:", "w"), 50)
    change_s = 0.4 + 8 * 0.12
    same = int((change_s - REACH_S - 0.05) * 25)
    np.testing.assert_array_equal(one[:same], other[:same])
    assert np.abs(one - other).max() > 0.3


def test_mouth_is_the_same_for_a_shifted_speech():
    """The same words a whole number of frames later give the same shapes, as many frames later."""
    early, late = table(said("h", "@", "l", "oU"), 40), table(said("h", "@", "l", "oU", lead_s=0.6), 45)
    np.testing.assert_allclose(early[4:35], late[9:40], atol=1e-3)


def test_every_number_stays_within_its_range():
    """All phonemes in a row give numbers from 0 to 1."""
    rows = table(said(*sorted(KNOWN - {SILENCE})), 250)
    assert 0 <= rows.min() <= rows.max() <= 1


def test_variants_of_a_phoneme_share_its_shape():
    """A reduced variant, spelt with # or -, has the shape of the full phoneme."""
    np.testing.assert_array_equal(table(said("t#", "r-"), 30), table(said("t", "r"), 30))


def test_foreign_phoneme_is_refused():
    """A phoneme that English lacks is named."""
    with pytest.raises(UnknownPhoneme, match=r"got 'q!'$"):
        mouth_poses(said("q!"), 10)
