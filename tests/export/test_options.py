"""export/options.py"""

import argparse

import pytest

from export.options import above_zero, at_least


@pytest.mark.parametrize(("least", "text"), [(0, "0"), (1, "1"), (1, "2147483647"), (2, "02")])
def test_integers(least, text):
    """An integer at the bound, or above it, is taken."""
    assert at_least(least)(text) == int(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", "", " 1", "²", "9" * 5000])
def test_integers_that_are_none(text):
    """Anything else is refused with what was expected and what came."""
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        at_least(1)(text)
    assert str(refused.value) == f"expected an integer of 1 or more, got {text!r}"


@pytest.mark.parametrize("text", ["1", "0.5", "1e-3"])
def test_numbers(text):
    """A number above zero is taken."""
    assert above_zero(text) == float(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "many", ""])
def test_numbers_that_are_none(text):
    """Zero, what is below, what is not finite and what is no number are refused alike."""
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        above_zero(text)
    assert str(refused.value) == f"expected a number above 0, got {text!r}"
