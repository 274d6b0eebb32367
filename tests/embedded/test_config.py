"""embedded/config.py"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from embedded.config import EmbeddedConfig
from embedded.errors import BadSetting
from tests.embedded.conftest import ROOT

REPOSITORY = ROOT / "model_repository"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"processes": 0}, "processes: expected 1 to 20, got 0"),
        ({"processes": 21}, "processes: expected 1 to 20, got 21"),
        ({"http_port": -1}, "http_port: expected ports within 0 to 65535 for every process, got -1"),
        (
            {"grpc_port": 65530, "processes": 2},
            "grpc_port: expected ports within 0 to 65535 for every process, got 65530",
        ),
        ({"http_port": 9000, "grpc_port": 9000}, "ports: expected each to be used once, got 9000 2 times"),
        (
            {"http_port": 9000, "grpc_port": 9010, "processes": 2},
            "ports: expected each to be used once, got 9010 2 times",
        ),
        ({"start_timeout_s": -1.0}, "start_timeout_s: expected 0 or more, got -1.0"),
        ({"stop_timeout_s": -0.5}, "stop_timeout_s: expected 0 or more, got -0.5"),
        ({"response_cache_bytes": -1}, "response_cache_bytes: expected 0 or more, got -1"),
        (
            {"strategy": "fastest"},
            "strategy: expected one of batching, hybrid, latency, multi_instance, replay, got fastest",
        ),
    ],
)
def test_values_that_cannot_work(settings: dict[str, Any], sentence: str) -> None:
    """Each bad value is one sentence with its key, what was expected and what arrived."""
    with pytest.raises(BadSetting) as caught:
        EmbeddedConfig(model_repository=REPOSITORY, **settings)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (None, " (no such file or directory)"),
        ("too short\n", ", with 9 characters of any kind in it"),
        ("not=one;of#triton's", ", with 19 characters of any kind in it"),
    ],
)
def test_file_without_a_secret(tmp_path: Path, text: str | None, got: str) -> None:
    """A file that holds no secret is refused at the start, in a sentence that does not repeat what it holds."""
    path = tmp_path / "secret"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadSetting) as caught:
        EmbeddedConfig(model_repository=REPOSITORY, control_secret_file=path)
    assert str(caught.value) == (
        f"control_secret_file: expected a file with 16 or more letters, digits, - and _, got {path}{got}"
    )


def test_secret_of_a_file(tmp_path: Path) -> None:
    """The secret is that of the file, or another one at each start."""
    path = tmp_path / "secret"
    path.write_text("a_secret-of-24-characters\n")
    config = EmbeddedConfig(model_repository=REPOSITORY, control_secret_file=path)
    assert config.control_secret() == "a_secret-of-24-characters"
    config = EmbeddedConfig(model_repository=REPOSITORY)
    assert config.control_secret() != config.control_secret()


def test_no_such_folder(tmp_path: Path) -> None:
    """A model repository that isn't there is named."""
    with pytest.raises(BadSetting) as caught:
        EmbeddedConfig(model_repository=tmp_path / "nowhere")
    assert str(caught.value) == f"model_repository: expected a folder, got {tmp_path / 'nowhere'}"


def test_not_a_model_repository(tmp_path: Path) -> None:
    """A folder without any model is refused, saying how one looks."""
    with pytest.raises(BadSetting) as caught:
        EmbeddedConfig(model_repository=tmp_path)
    assert str(caught.value) == (
        f"model_repository: expected a folder with <model>/config.pbtxt in it, got {tmp_path}"
    )


def test_strategy_of_a_repository_without_variants(repository: Path) -> None:
    """Where no model has variants, every strategy is refused with that reason."""
    with pytest.raises(BadSetting) as caught:
        EmbeddedConfig(model_repository=repository, strategy="replay")
    assert str(caught.value) == "strategy: expected none, as no model has variants, got replay"


def test_strategies_of_the_demo_avatar() -> None:
    """A strategy that only some models know is taken."""
    assert EmbeddedConfig(model_repository=REPOSITORY, strategy="batching").strategy == "batching"


def test_ports_of_several_processes() -> None:
    """Each process listens 10 ports above the one before."""
    config = EmbeddedConfig(model_repository=REPOSITORY, processes=3)
    assert config.ports() == [(8000, 8001, 8002), (8010, 8011, 8012), (8020, 8021, 8022)]


@pytest.mark.parametrize("key", ["http_port", "grpc_port", "metrics_port"])
def test_free_ports(key: str) -> None:
    """Port 0 anywhere leaves the choice of all ports open."""
    assert EmbeddedConfig(model_repository=REPOSITORY, **{key: 0}).ports() == []
