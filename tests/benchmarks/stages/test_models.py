"""benchmarks/stages/models.py; its models are served in test_measure.py"""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from benchmarks.site import Site
from benchmarks.stages.models import MAX_BATCH, PATH, STAGES, model_name, write_repository
from tests.conftest import Workspace


@pytest.fixture
def configs(workspace: Workspace, tmp_path: Path) -> dict[str, schema.ModelConfig]:
    """The configs of every stage with 1 and 3 instances, by model name."""
    site = Site(workspace.avatars, workspace.model_repository)
    write_repository(site, tmp_path, STAGES, (1, 3))
    paths = sorted(tmp_path.glob("*/config.pbtxt"))
    return {path.parent.name: text_format.Parse(path.read_text(), schema.ModelConfig()) for path in paths}


def test_every_stage_has_its_models(configs: dict[str, schema.ModelConfig]) -> None:
    """Each stage is there once for each number of instances, joins requests, and takes the largest batch asked for."""
    assert configs.keys() == {model_name(stage.name, count) for stage in STAGES for count in (1, 3)}
    for name, config in configs.items():
        assert config.name == name
        assert config.max_batch_size == MAX_BATCH
        if config.platform == "ensemble":
            continue
        assert config.HasField("dynamic_batching")
        assert [group.count for group in config.instance_group] == [3 if name.endswith("_x3") else 1]


def test_stages_are_those_that_are_served(configs: dict[str, schema.ModelConfig]) -> None:
    """The lookup and the encoders are the backends of the ensembles, with the parameters that these have."""
    assert configs["lookup_x1"].backend == "frame_lookup"
    assert configs["lookup_x1"].parameters["frame_count"].string_value == "60"
    sizes = {
        name: (config.parameters["size"].string_value, config.parameters["quality"].string_value)
        for name, config in configs.items()
        if config.backend == "jpeg_encode" and name.endswith("x1")
    }
    assert sizes == {"jpeg_256_x1": ("256", "95"), "jpeg_320_x1": ("320", "95"), "jpeg_live_x1": ("0", "90")}
    assert {name for name, config in configs.items() if config.backend == "python"} == {
        f"identity_one_{what}_x{count}" for what in ("number", "face") for count in (1, 3)
    }


def test_the_whole_path(configs: dict[str, schema.ModelConfig]) -> None:
    """The ensemble leads a frame through the stages with as many instances, from its number to its JPEG."""
    for count in (1, 3):
        config = configs[f"whole_path_x{count}"]
        steps = config.ensemble_scheduling.step
        assert [step.model_name for step in steps] == [model_name(name, count) for name in PATH]
        assert [tensor.name for tensor in config.input] == ["frame_id"]
        assert [tensor.name for tensor in config.output] == ["jpeg", "bounds"]
        assert not config.instance_group
