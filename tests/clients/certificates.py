"""Certificates for tests of TLS."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Certificate", "make_certificate"]


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for localhost.

    Attributes:
        path: PEM file of the certificate, which is its own authority.
        key_path: PEM file of its private key.
        pem: Key and certificate, as gRPC's server wants them.
    """

    path: str
    key_path: str
    pem: tuple[bytes, bytes]


def make_certificate(openssl: str, folder: Path) -> Certificate:
    """Make a certificate with the ``openssl`` command; it is valid for two days."""
    path, key_path = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-out", path, "-keyout", key_path),
        ],
        check=True,
        capture_output=True,
    )
    return Certificate(str(path), str(key_path), (key_path.read_bytes(), path.read_bytes()))
