"""bridge/settings/values.py"""

import dataclasses

import pytest

from bridge.errors import ConfigError
from bridge.settings.values import choice, integer, optional_text, seconds, setting, text


@pytest.mark.parametrize(
    ("parse", "given", "value"),
    [
        (text, " a ", "a"),
        (optional_text, "  ", ""),
        (integer(-1, 5), " -1 ", -1),
        (seconds(0, 5), "0.5", 0.5),
        (choice(("a", "b")), "b", "b"),
    ],
)
def test_values(parse, given, value):
    """Each parser returns its value."""
    assert parse("KEY", given) == value


@pytest.mark.parametrize(
    ("parse", "given", "expected"),
    [
        (text, " ", "a name or an address, got ' '"),
        (integer(0, 5), "6", "an integer from 0 to 5, got '6'"),
        (integer(0, 5), "1.5", "an integer from 0 to 5, got '1.5'"),
        (seconds(0, 5), "inf", "seconds from 0 to 5, got 'inf'"),
        (seconds(0, 5), "nan", "seconds from 0 to 5, got 'nan'"),
        (choice(("a", "b")), "c", "one of a, b, got 'c'"),
    ],
)
def test_what_is_none(parse, given, expected):
    """Each says what it expected, and what it got."""
    with pytest.raises(ConfigError) as caught:
        parse("KEY", given)
    assert str(caught.value) == f"KEY: expected {expected}"


def test_a_setting_has_its_parser_and_its_meaning():
    """A field holds its default, its parser and its meaning."""
    field = setting(1, integer(0, 5), "a number")
    assert isinstance(field, dataclasses.Field)
    assert (field.default, field.metadata["meaning"]) == (1, "a number")
    assert field.metadata["parse"]("KEY", "2") == 2
