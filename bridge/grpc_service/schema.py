"""The schemas of ``protos/``, as message classes and handlers, without generated code.

``descriptors.binpb`` is the compiled form of the .proto files; it fits every protobuf release. After a change:

    python -m grpc_tools.protoc -I bridge/grpc_service/protos --descriptor_set_out=bridge/grpc_service/descriptors.binpb
        bridge/grpc_service/protos/*.proto
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

__all__ = ["DEPLOYED", "POOL", "PROTOS_FOLDER", "SHORT", "Method", "failure", "message_class", "methods"]

PROTOS_FOLDER = Path(__file__).parent / "protos"
DESCRIPTORS_PATH = Path(__file__).with_name("descriptors.binpb")

DEPLOYED = "optimized_lipsyncsrv.OptimizedLipSyncService"
SHORT = "OptimizedLipSyncService"


class Method(NamedTuple):
    """One call of a service; ``streams`` in both directions or in none."""

    name: str
    request_class: type[Message]
    response_class: type[Message]
    streams: bool


def _load_pool() -> Any:
    # a pool of its own: a process may also hold a client's generated code of these names
    pool: Any = descriptor_pool.DescriptorPool()  # type stubs know only half of it
    for file in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS_PATH.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    for module in (health_pb2, reflection_pb2):  # for server reflection to describe them, too
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return pool


POOL = _load_pool()
"""A DescriptorPool of everything that server reflection can describe."""


def message_class(service: str, name: str) -> Any:
    """Return the class of the message ``name`` in the package of ``service``."""
    package = service.rpartition(".")[0]
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"{package}.{name}".lstrip(".")))


def methods(service: str) -> Iterator[Method]:
    """Yield the calls of a service, DEPLOYED or SHORT."""
    for method in POOL.FindServiceByName(service).methods:
        yield Method(
            method.name,
            message_factory.GetMessageClass(method.input_type),
            message_factory.GetMessageClass(method.output_type),
            method.server_streaming,
        )


def failure(response_class: type[Message], request: Message, sentence: str) -> Message | None:
    """Return the response that says what went wrong, None if it has no field for that.

    What request and response have in common (the model, the frame) is repeated, as in a success.
    """
    fields = response_class.DESCRIPTOR.fields_by_name
    if "error" not in fields:
        return None
    common = {
        field.name: getattr(request, field.name)
        for field in request.DESCRIPTOR.fields
        if field.name in fields
    }
    return response_class(success=False, error=sentence, **common)
