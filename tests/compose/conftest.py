"""The engine, the images and the running stack that the Compose tests share."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator

import pytest

from tests.compose.base_image import ROOT, provide_base_image
from tests.compose.engine import Engine, EngineImpossible, running_engine
from tests.compose.stack import BUILD_ON_HOST_NETWORK, Stack, free_port

PROJECT = "lipsync-test"


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a figure although pytest captures: these tests are also the measurement."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", flush=True)

    return say


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker engine; where there can be none, every test is skipped with the reason."""
    try:
        with running_engine(ROOT / "build" / "compose" / "docker") as engine:
            yield engine
    except EngineImpossible as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def built(engine: Engine, tmp_path_factory: pytest.TempPathFactory, say: Callable[[str], None]) -> Stack:
    """A project whose images are built, and nothing started."""
    start_s = time.monotonic()
    how = provide_base_image(engine)
    base_s = time.monotonic() - start_s
    override = tmp_path_factory.mktemp("compose") / "override.yml"
    override.write_text(BUILD_ON_HOST_NETWORK)  # a bridge network of ours need not reach a package index
    stack = Stack(engine, PROJECT, free_port(), free_port(), files=(override,) * engine.own)
    stack.must("build")
    say(f"base image {how} in {base_s:.0f} s, images built in {time.monotonic() - start_s - base_s:.0f} s")
    return dataclasses.replace(stack, files=())


@pytest.fixture(scope="session")
def stack(built: Stack, say: Callable[[str], None]) -> Iterator[Stack]:
    """The cpu profile with two Tritons, up and healthy."""
    start_s = time.monotonic()
    try:
        built.must("up", "--detach", "--scale", "triton=2")
        built.wait_for_upstreams(2, 2)
        say(f"two Tritons and the bridge up in {time.monotonic() - start_s:.1f} s")
        yield built
    except AssertionError:
        say(built.compose("logs", "--tail=40").stdout)
        raise
    finally:
        built.must("down", "--volumes", "--timeout", "5")
