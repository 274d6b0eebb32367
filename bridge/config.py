"""The settings of one bridge process: one frozen object, read from environment and argv in one function.

A field ``infer_timeout_s`` is the variable ``BRIDGE_INFER_TIMEOUT_S`` and the flag ``--infer-timeout-s``; the
flag wins. The fields themselves are in ``bridge/settings/``.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.settings.access import AccessSettings
from bridge.settings.front import GRPC_OFF, LOG_LEVELS, METRICS_TOO, FrontSettings
from bridge.settings.limits import LimitSettings
from bridge.settings.packages import IMPORT_OFF, PackageSettings
from bridge.settings.speech import SpeechSettings
from bridge.settings.upstream import MAX_UPSTREAMS, POLICIES, UpstreamSettings

__all__ = [
    "GRPC_OFF",
    "IMPORT_OFF",
    "LOG_LEVELS",
    "MAX_UPSTREAMS",
    "METRICS_TOO",
    "POLICIES",
    "BridgeConfig",
    "env_name",
    "flag_name",
    "load_config",
]

FORMER_NAMES = {"upstreams": "backends"}
"""Fields of BridgeConfig whose variable and flag had another name, which goes on working."""


@dataclass(frozen=True, kw_only=True)
class BridgeConfig(
    PackageSettings, SpeechSettings, LimitSettings, AccessSettings, FrontSettings, UpstreamSettings
):
    """Settings of one bridge process: those of all groups, the last base's first."""

    def __post_init__(self) -> None:
        """Check what was given in code the way text is checked.

        Raises:
            ConfigError: If a value is not what its setting can be.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            field.metadata["parse"](field.name, ",".join(value) if isinstance(value, tuple) else str(value))
        self.check_upstreams()
        self.check_packages()
        self.check_access()


def env_name(field_name: str) -> str:
    """Return the environment variable of a field of BridgeConfig."""
    return f"BRIDGE_{field_name.upper()}"


def flag_name(field_name: str) -> str:
    """Return the command-line flag of a field of BridgeConfig."""
    return f"--{field_name.replace('_', '-')}"


def load_config(
    argv: Sequence[str], environ: Mapping[str, str], prog: str = "python -m bridge"
) -> BridgeConfig:
    """Read the settings from the arguments and, where those say nothing, from the environment.

    Args:
        argv: Arguments, without the program's name.
        environ: Environment variables; an empty one counts as absent.
        prog: How the program is called, for its usage.

    Raises:
        ConfigError: If a value is not what its setting can be.
        SystemExit: With 2 for an argument that does not exist, with 0 after ``--help``.
    """
    arguments = vars(_parser(prog).parse_args(argv))
    values: dict[str, Any] = {}
    for field in dataclasses.fields(BridgeConfig):
        variables = [name for name in map(env_name, _names(field.name)) if environ.get(name)]
        if arguments[field.name] is not None:
            values[field.name] = field.metadata["parse"](flag_name(field.name), arguments[field.name])
        elif variables:
            values[field.name] = field.metadata["parse"](variables[0], environ[variables[0]])
    return BridgeConfig(**values)


def _names(field_name: str) -> list[str]:
    """Return what a field is called, and what it was called before."""
    return [field_name, *filter(None, [FORMER_NAMES.get(field_name)])]


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="WebSocket bridge to Triton: binary frames and JSON, the page, health and metrics.",
        allow_abbrev=False,
    )
    for field in dataclasses.fields(BridgeConfig):
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        parser.add_argument(
            *map(flag_name, _names(field.name)),
            dest=field.name,
            metavar="VALUE",
            help=f"{field.metadata['meaning']} (default {default}; {env_name(field.name)})",
        )
    return parser
