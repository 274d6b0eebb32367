"""speech/errors.py"""

from pathlib import Path

import pytest

from speech.errors import BadEncoder, BadSound


@pytest.mark.parametrize("error", [BadEncoder, BadSound])
def test_an_error_is_one_sentence(error):
    """It says where, what was expected and what arrived."""
    assert str(error(Path("a.wav"), "speech", "silence")) == "a.wav: expected speech, got silence"
