"""bridge/settings/packages.py"""

import pytest

from bridge.config import load_config
from bridge.errors import ConfigError


def test_import_folders(tmp_path):
    """A folder to import from has to be there, and the model repository has to be writable."""
    with pytest.raises(ConfigError, match="packages_dir: expected a folder, or off, got 'nowhere'"):
        load_config(["--packages-dir", "nowhere"], {})
    with pytest.raises(
        ConfigError, match="model_repository: expected a folder that can be written, got 'none'"
    ):
        load_config(["--packages-dir", str(tmp_path), "--model-repository", "none"], {})
    assert load_config(["--packages-dir", str(tmp_path), "--model-repository", str(tmp_path)], {})
