"""Mutual TLS for Triton's gRPC: what Triton is told, and how its own keeper reaches it."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

__all__ = ["CA_FILE", "CERTIFICATE_FILE", "KEY_FILE", "GrpcTls"]

CERTIFICATE_FILE, KEY_FILE, CA_FILE = "tls.crt", "tls.key", "ca.crt"
"""As a secret of Kubernetes is laid out."""


@dataclass(frozen=True)
class GrpcTls:
    """Certificates of both sides: Triton has one, and takes calls from who has one of the same authority's.

    Attributes:
        folder: PEM files: ``tls.crt``, which both a server and a client may show, its key ``tls.key``, and ``ca.crt``.
        name: The name in the certificate, by which it is checked.
    """

    folder: Path
    name: str

    def check(self) -> None:
        """Return if the files can be used.

        Raises:
            OSError: If one cannot be read, or is not what its name says; ssl's errors are OSErrors.
        """
        context = ssl.create_default_context(cafile=str(self.folder / CA_FILE))
        context.load_cert_chain(self.folder / CERTIFICATE_FILE, self.folder / KEY_FILE)

    def arguments(self) -> list[str]:
        """Return the arguments that make ``tritonserver`` speak TLS; it reads the files when it starts."""
        files = {"server-cert": CERTIFICATE_FILE, "server-key": KEY_FILE, "root-cert": CA_FILE}
        paths = [f"--grpc-{option}={self.folder / name}" for option, name in files.items()]
        return ["--grpc-use-ssl=true", "--grpc-use-ssl-mutual=true", *paths]

    def channel(self, url: str, options: Sequence[tuple[str, Any]] = ()) -> grpc.aio.Channel:
        """Return a channel to a Triton at ``host:port``, whatever its address is.

        Raises:
            OSError: If a file cannot be read.
        """
        names = (CA_FILE, KEY_FILE, CERTIFICATE_FILE)
        credentials = grpc.ssl_channel_credentials(*((self.folder / name).read_bytes() for name in names))
        named = [*options, ("grpc.ssl_target_name_override", self.name)]
        return grpc.aio.secure_channel(url, credentials, named)
