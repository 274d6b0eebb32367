"""bridge/access/errors.py"""

import pytest

from bridge.access.errors import ForeignOrigin, WrongHost


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (
            WrongHost("evil.example"),
            "wrong_host",
            "host: expected an IP address, localhost or a name of BRIDGE_ALLOWED_HOSTS, got 'evil.example'",
        ),
        (
            ForeignOrigin("https://evil.example"),
            "foreign_origin",
            "origin: expected the bridge's own or one of BRIDGE_ALLOWED_ORIGINS, got 'https://evil.example'",
        ),
        (
            ForeignOrigin(""),
            "foreign_origin",
            "origin: expected the bridge's own or one of BRIDGE_ALLOWED_ORIGINS, got another site's",
        ),
    ],
)
def test_sentences(error, code, sentence):
    """Each says what it expected, and which setting would let it pass."""
    assert (error.code, str(error)) == (code, sentence)
