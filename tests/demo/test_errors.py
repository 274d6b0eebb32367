from pathlib import Path

import pytest

from demo.errors import ClipExists, ClipNotWritten, DemoError, InvalidSetting


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InvalidSetting("size", "256 to 1024", 7), "size must be 256 to 1024, got 7"),
        (ClipExists(Path("a/b")), "expected a folder yet to be made, but a/b exists"),
        (ClipNotWritten(Path("a/b"), "disk full"), "could not write the clip a/b: disk full"),
    ],
)
def test_errors_are_one_sentence(error, sentence):
    """Each error says what was expected and what arrived, without a full stop."""
    assert isinstance(error, DemoError)
    assert str(error) == sentence
