"""Triton Inference Server without a container: the server of the PyPI wheel, as a library and a command."""

from embedded.config import EmbeddedConfig
from embedded.errors import EmbeddedError
from embedded.secret_file import keep_secret_file
from embedded.server import Server, serve

__all__ = ["EmbeddedConfig", "EmbeddedError", "Server", "keep_secret_file", "serve"]
