"""The image that ``docker/Dockerfile`` builds on: pulled, or, where no image registry can be reached, made here."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.compose.engine import Engine

__all__ = ["provide_base_image"]

ROOT = Path(__file__).parents[2]
SUITE = "bookworm"
PULL_TIMEOUT_S = 120
DEBOOTSTRAP_TIMEOUT_S = 900
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
FORWARDED = ("index-url", "trusted-host")
LEFT_OUT = (
    "./var/cache/apt/*.bin",
    "./var/cache/apt/archives/*",
    "./var/lib/apt/lists/*",
    "./usr/share/doc/*",
)


def provide_base_image(engine: Engine) -> str:
    """See that the engine has the Dockerfile's base image, and return how: ``present``, ``pulled`` or ``made``."""
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    match = re.search(r"^ARG BASE_IMAGE=(\S+)$", dockerfile, re.MULTILINE)
    assert match
    if engine.docker("image", "inspect", match[1], check=False).returncode == 0:
        return "present"
    if _pulls(engine, match[1]):
        return "pulled"
    _make(engine, match[1])
    return "made"


def _pulls(engine: Engine, name: str) -> bool:
    try:
        return engine.docker("pull", name, check=False, timeout=PULL_TIMEOUT_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _make(engine: Engine, name: str) -> None:
    """Bootstrap a minimal Debian and import it under ``name``.

    It trusts the certificates that this machine trusts and asks the package index that this machine's pip asks:
    packages may come from a mirror.
    """
    with tempfile.TemporaryDirectory(prefix="debian-") as folder:
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEBOOTSTRAP_TIMEOUT_S)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        trusted = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
        if trusted:
            (Path(folder) / CERTIFICATES).write_bytes(Path(trusted).read_bytes())
        changes = [f"--change=ENV {key}={value}" for key, value in _pip_settings().items()]
        tar = ["tar", "--directory", folder, *(f"--exclude={path}" for path in LEFT_OUT), "--create", "."]
        with subprocess.Popen(tar, stdout=subprocess.PIPE) as packing:
            engine.docker("import", *changes, "-", name, stdin=packing.stdout)
        assert packing.returncode == 0


def _pip_settings() -> dict[str, str]:
    """Return pip's settings that say where packages come from, as environment variables."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    settings = {"PIP_CERT": f"/{CERTIFICATES}"}
    for key, value in re.findall(r"^[\w:]+\.([\w-]+)='(.*)'$", listed, re.MULTILINE):
        if key in FORWARDED:
            settings[f"PIP_{key.upper().replace('-', '_')}"] = value
    return settings
