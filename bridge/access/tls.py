"""Certificates: the bridge's own, which clients see, and what Triton's is checked with; read again when they change."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

import grpc

from bridge.access.watched_file import Watched
from bridge.errors import ConfigError

__all__ = ["OwnCertificate", "TritonTls"]

logger = logging.getLogger(__name__)


class OwnCertificate:
    """The bridge's certificate, for HTTP and WebSocket and for gRPC.

    Args:
        certificate_path: PEM file of the certificate, with those between it and its authority.
        key_path: PEM file of its private key.

    Raises:
        ConfigError: If they cannot be used.
    """

    def __init__(self, certificate_path: str, key_path: str) -> None:
        self._certificate_path = certificate_path
        self._key_path = key_path
        paths = [certificate_path, key_path]
        try:
            self._context = Watched(paths, self._make_context)
            self._pair = Watched(paths, self._make_pair)
        except OSError as exc:  # ssl's errors are OSErrors
            reason = f"{certificate_path} and {key_path} ({exc.strerror or exc})"
            raise ConfigError("tls_cert_file", "a PEM file with its key in tls_key_file", reason) from exc

    def context(self) -> ssl.SSLContext:
        """Return what a server is given once, and has each handshake made with the certificate of the moment."""
        context = self._make_context()
        context.sni_callback = self._choose
        return context

    def grpc_credentials(self) -> Any:
        """Return what a gRPC server is given once, and likewise."""
        given = self._pair.value

        def changed() -> Any:
            nonlocal given
            if self._pair.value is given:
                return None
            given = self._pair.value
            return given

        return grpc.dynamic_ssl_server_credentials(given, changed, False)

    def _choose(self, connection: Any, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._context.value

    def _make_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._certificate_path, self._key_path)
        return context

    def _make_pair(self) -> Any:
        self._make_context()  # gRPC would take anything, and then fail at each handshake
        pair = (Path(self._key_path).read_bytes(), Path(self._certificate_path).read_bytes())
        return grpc.ssl_server_certificate_configuration([pair])


class TritonTls:
    """What the bridge checks Triton's certificate with, and shows as its own.

    Args:
        ca_path: PEM file of the authorities.
        certificate_path: PEM file of the bridge's certificate for Triton; empty: none is shown.
        key_path: PEM file of its private key.
        name: The name in Triton's certificate, where that is not the address; empty: it is.

    Raises:
        ConfigError: If one of the files cannot be used.
    """

    def __init__(self, ca_path: str, certificate_path: str = "", key_path: str = "", name: str = "") -> None:
        self._paths = (ca_path, certificate_path, key_path)
        self.options = (("grpc.ssl_target_name_override", name),) if name else ()
        try:
            self._credentials = Watched([path for path in self._paths if path], self._make)
        except OSError as exc:
            reason = f"{', '.join(filter(None, self._paths))} ({exc.strerror or exc})"
            raise ConfigError(
                "triton_ca_file", "PEM files of authorities, certificate and key", reason
            ) from exc

    @property
    def credentials(self) -> Any:
        """What a new channel is opened with."""
        return self._credentials.value

    def _make(self) -> Any:
        ca_path, certificate_path, key_path = self._paths
        context = ssl.create_default_context(cafile=ca_path)
        if certificate_path:
            context.load_cert_chain(
                certificate_path, key_path
            )  # fails here, where gRPC would at each handshake
        contents = [
            Path(path).read_bytes() if path else None for path in (ca_path, key_path, certificate_path)
        ]
        return grpc.ssl_channel_credentials(*contents)
