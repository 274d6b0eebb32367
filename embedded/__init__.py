"""Triton Inference Server without a container: the server of the PyPI wheel, as a library and a command."""

from embedded.config import EmbeddedConfig
from embedded.errors import EmbeddedError
from embedded.server import Server, serve

__all__ = ["EmbeddedConfig", "EmbeddedError", "Server", "serve"]
