"""bridge/settings/speech.py"""

import pytest

from bridge.config import load_config
from bridge.errors import ConfigError


def test_admission_is_one_of_two():
    """Admission is measured, or off."""
    assert load_config(["--speech-admission", "off"], {}).speech_admission == "off"
    with pytest.raises(ConfigError, match="expected one of measured, off, got 'on'"):
        load_config(["--speech-admission", "on"], {})
