"""Settings of importing packages through gRPC's LoadPackage."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigError
from bridge.settings.values import choice, integer, seconds, setting, text

__all__ = ["IMPORT_OFF", "PackageSettings"]

IMPORT_OFF = "off"


@dataclass(frozen=True, kw_only=True)
class PackageSettings:
    """Settings of imports; each field's meaning stands beside it, units are in the names."""

    packages_dir: str = setting(
        IMPORT_OFF, text, "folder whose packages gRPC's LoadPackage may import; off: none"
    )
    avatars_dir: str = setting("avatars", text, "folder that imported avatars are kept in")
    model_repository: str = setting(
        "model_repository", text, "folder that their models are written to: the one Triton reads"
    )
    packages_replace: str = setting(
        "off",
        choice(("off", "on")),
        "whether LoadPackage may replace an avatar that it has not made of the same package",
    )
    import_memory_gb: int = setting(
        12, integer(2, 1024), "how much memory an import may ask for; one of a .pth needs 7"
    )
    import_timeout_s: float = setting(
        600.0, seconds(0.01, 86400), "how long an import, and loading it, may take"
    )

    def check_packages(self) -> None:
        """Check that the folders can be used.

        Raises:
            ConfigError: If packages may be imported, and one of the folders cannot be used for that.
        """
        if self.packages_dir == IMPORT_OFF:
            return
        if not Path(self.packages_dir).is_dir():
            raise ConfigError("packages_dir", "a folder, or off", self.packages_dir)
        if not os.access(self.model_repository, os.W_OK):
            raise ConfigError("model_repository", "a folder that can be written", self.model_repository)
