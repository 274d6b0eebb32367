"""The modules that a client of the gRPC service has generated for itself."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from grpc_tools import protoc

from bridge.grpc_service.schema import PROTOS_FOLDER

__all__ = ["compile_stubs"]


def compile_stubs(folder: Path) -> dict[str, ModuleType]:
    """Compile both .proto files into ``folder``, and return the modules ``*_pb2`` and ``*_pb2_grpc`` by name."""
    options = [f"-I{PROTOS_FOLDER}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    assert protoc.main(["protoc", *options, *map(str, sorted(PROTOS_FOLDER.glob("*.proto")))]) == 0
    sys.path.insert(0, str(folder))
    try:
        return {path.stem: importlib.import_module(path.stem) for path in folder.glob("*.py")}
    finally:
        sys.path.remove(str(folder))
