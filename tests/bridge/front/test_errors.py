"""bridge/front/errors.py"""

import pytest

from bridge.front.errors import BridgeFull, HeadTooLarge, TooMany


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (
            HeadTooLarge(9),
            "head_too_large",
            "request: expected at most 9 bytes before its empty line, got more",
        ),
        (
            TooMany("connections", "address", 9),
            "too_many",
            "connections: expected at most 9 of one address, got one more; try again later",
        ),
        (
            BridgeFull("connections", 9),
            "bridge_full",
            "connections: expected at most 9, got one more; try again later",
        ),
    ],
)
def test_sentences(error, code, sentence):
    """Each says what was too much, and how much may be."""
    assert (error.code, str(error)) == (code, sentence)
