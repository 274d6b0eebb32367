"""bridge/settings/limits.py"""

import pytest

from bridge.config import load_config
from bridge.errors import ConfigError


def test_limits():
    """A limit is at least 1."""
    assert load_config(["--connections-per-client", "1"], {}).connections_per_client == 1
    with pytest.raises(ConfigError, match="expected an integer from 1 to 1000000, got '0'"):
        load_config(["--connections-per-client", "0"], {})
