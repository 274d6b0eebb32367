"""Who may control the models of a real Triton: not a web page, but who knows its secret."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import logging
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from embedded import EmbeddedConfig, Server, serve
from lipsync_client import LipsyncClient
from tests.conftest import running_triton
from tests.embedded.asking import encode_over_grpc, encode_over_http, metrics
from tests.embedded.conftest import ROOT
from tests.embedded.processes import STUB, WAIT_S, find_family, wait_until

MODEL = """
from pathlib import Path

class TritonPythonModel:
    def initialize(self, args):
        Path({mark!r}).touch()
"""
CONFIG = {
    "backend": "python",
    "input": [{"name": "x", "data_type": "TYPE_INT32", "dims": [1]}],
    "output": [{"name": "y", "data_type": "TYPE_INT32", "dims": [1]}],
}
GUARDED_PATHS = (
    "repository/index",
    "repository/models/jpeg_encode/load",
    "repository/models/jpeg_encode/unload",
    "systemsharedmemory/region/any/register",
    "cudasharedmemory/unregister",
    "trace/setting",
    "models/jpeg_encode/trace/setting",
    "logging",
)
GUARDED_CALLS = (
    "get_model_repository_index",
    "get_log_settings",
    "get_trace_settings",
    "get_system_shared_memory_status",
    "get_cuda_shared_memory_status",
)


class Control:
    """What a page, or the owner, asks of a Triton.

    Attributes:
        mark: A file that the code of a model in a load's body makes.
    """

    def __init__(self, server: Server, mark: Path) -> None:
        self.server, self.mark = server, mark

    def post(self, path: str, body: bytes = b"{}", **headers: str) -> int:
        """Post as a web page of elsewhere can, without asking the browser first; return HTTP's status."""
        headers = {"Origin": "https://elsewhere.example", "Content-Type": "text/plain", **headers}
        request = urllib.request.Request(f"http://{self.server.http_url}/v2/{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code

    def load_over_http(self, **headers: str) -> int:
        """Load a model whose code comes in the body."""
        code = base64.b64encode(self._code()).decode()
        parameters = {"config": json.dumps(CONFIG), "file:1/model.py": code}
        return self.post(
            "repository/models/over_http/load", json.dumps({"parameters": parameters}).encode(), **headers
        )

    def load_over_grpc(self, headers: dict[str, str]) -> None:
        """Load a model whose code comes in the message."""
        with tritonclient.grpc.InferenceServerClient(self.server.grpc_url) as client:
            client.load_model(
                "over_grpc",
                headers=headers,
                config=json.dumps(CONFIG),
                files={"file:1/model.py": self._code()},
            )

    def _code(self) -> bytes:
        return MODEL.format(mark=str(self.mark)).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Triton that logs all it can, and by its end must not have logged its secret."""
    repository = tmp_path_factory.mktemp("guarded")
    shutil.copytree(ROOT / "model_repository" / "jpeg_encode", repository / "jpeg_encode")
    config = EmbeddedConfig(
        model_repository=repository, http_port=0, stop_timeout_s=3, extra_args=("--log-verbose=3",)
    )
    log = io.StringIO()
    with logged_to(log), running_triton(config) as (server,):
        yield server
    assert "/v2/repository/models/over_http/load" in log.getvalue()
    assert server.secret not in log.getvalue()


@contextlib.contextmanager
def logged_to(log: io.StringIO) -> Iterator[None]:
    """Write every record of every logger into ``log``."""
    root, handler = logging.getLogger(), logging.StreamHandler(log)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@pytest.fixture
def control(server: Server, tmp_path: Path) -> Control:
    return Control(server, tmp_path / "ran")


def test_a_page_cannot_run_code(control: Control) -> None:
    """The load of a model in the body of a foreign page's text/plain POST is refused; with the secret it is obeyed."""
    wrong = {name: "x" * len(control.server.secret) for name in control.server.http_control}
    for headers in ({}, wrong, control.server.grpc_control):
        assert control.load_over_http(**headers) == 403
    assert not control.mark.exists()
    assert control.load_over_http(**control.server.http_control) == 200
    assert control.mark.exists()


def test_a_caller_cannot_run_code(control: Control) -> None:
    """The same over gRPC."""
    wrong = {name: "x" * len(control.server.secret) for name in control.server.grpc_control}
    for headers in ({}, wrong, control.server.http_control):
        with pytest.raises(InferenceServerException, match="This protocol is restricted"):
            control.load_over_grpc(headers)
    assert not control.mark.exists()
    control.load_over_grpc(control.server.grpc_control)
    assert control.mark.exists()


def test_what_is_open_to_whom(control: Control) -> None:
    """All that changes the server asks for the secret; pictures, health, metadata and statistics do not."""
    server = control.server
    assert {path: control.post(path) for path in GUARDED_PATHS} == dict.fromkeys(GUARDED_PATHS, 403)
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        for call in GUARDED_CALLS:
            with pytest.raises(InferenceServerException, match="This protocol is restricted"):
                getattr(client, call)()
            getattr(client, call)(headers=server.grpc_control)
        assert client.is_server_ready()
        assert client.get_server_metadata().name == "triton"
        assert client.get_model_metadata("jpeg_encode").inputs[0].name == "image"
        assert client.get_model_config("jpeg_encode").config.max_batch_size == 16
        assert "jpeg_encode" in [entry.name for entry in client.get_inference_statistics().model_stats]
    assert encode_over_grpc(server) == encode_over_http(server)
    assert "nv_inference_request_success" in metrics(server)


def test_the_secret_is_in_no_list_of_processes(control: Control) -> None:
    """No process has the secret in its arguments; ready, only the guard has it in its environment."""
    family = find_family(f"--grpc-port={control.server.grpc_port}")
    secret = control.server.secret.encode()
    others = [process for process in family.members if "guard.py" not in process.command]
    wait_until(lambda: not any(secret in (one.folder / "environ").read_bytes() for one in others) or None)
    assert not any(secret in (one.folder / "cmdline").read_bytes() for one in family.members)
    assert control.server.secret not in repr(control.server)
    assert "lipsync-secret=@secret@" in family.member("tritonserver").command


async def test_the_secret_does_not_show_while_models_load(waiting_repository: Path) -> None:
    """Nor has any process it in its arguments before Triton is ready, or its Python processes in their environment."""
    secret_file = waiting_repository / "secret"
    secret_file.write_text("a_secret-of-24-characters")
    config = EmbeddedConfig(model_repository=waiting_repository, http_port=0, control_secret_file=secret_file)
    start = asyncio.create_task(start_for_ever(config))
    family = await asyncio.to_thread(find_family, str(waiting_repository), with_part=STUB)
    for process in family.members:
        assert b"a_secret-of" not in (process.folder / "cmdline").read_bytes()
    assert b"a_secret-of" not in (family.member(STUB).folder / "environ").read_bytes()
    start.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await start


async def start_for_ever(config: EmbeddedConfig) -> None:
    async with serve(config):
        raise AssertionError("a model that never loads was loaded")


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_clients_list_avatars_without_the_secret(triton: Server, scheme: str) -> None:
    """The client names the avatars of a restricted Triton."""
    url = triton.grpc_url if scheme == "grpc" else triton.http_url
    with LipsyncClient(f"{scheme}://{url}") as client:
        assert {"demo", "second"} <= set(client.models())
