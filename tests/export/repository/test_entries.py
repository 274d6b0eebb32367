"""export/repository/entries.py"""

import json

import numpy as np
import onnx
import pytest

from export.errors import BadSource
from export.files import link_or_copy
from export.repository.avatar import FRAME_FILES
from export.repository.configs import ServingOptions
from export.repository.entries import write_entries, write_serving
from tests.export.network.test_resident import graph
from tests.export.repository.test_configs import avatar, every_config, parse
from tests.export.sources import tree


@pytest.fixture
def folder(tmp_path):
    """An avatar's folder, its data being its files' names."""
    folder = tmp_path / "avatars" / "demo"
    folder.mkdir(parents=True)
    for name in (*FRAME_FILES, "unet_cpu.onnx", "speech.onnx"):
        (folder / name).write_text(name)
    described = avatar()
    content = {key: getattr(described, key) for key in described.__dataclass_fields__}
    (folder / "avatar.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def resident_folder(folder):
    """The same with three frames, and a network that fits them."""
    for name in ("faces.npy", "unet_cpu.onnx"):
        (folder / name).unlink()
    np.save(folder / "faces.npy", np.zeros((3, 4, 4, 3), np.uint8))
    onnx.save(graph(), folder / "unet_cpu.onnx")
    content = json.loads((folder / "avatar.json").read_text())
    (folder / "avatar.json").write_text(json.dumps({**content, "frame_count": 3}))
    return folder


@pytest.fixture
def repository(tmp_path):
    """Where the models go; not made yet."""
    return tmp_path / "model_repository"


def configs_in(repository):
    return {str(path.relative_to(repository)): path.read_text() for path in repository.rglob("*.pbtxt")}


def test_whole_repository(folder, repository):
    """Every config, the frame data and the weights are in their places; an ensemble's version folder holds no data."""
    assert write_entries(folder, repository) == [
        "demo_frames",
        "demo_unet",
        "demo",
        "demo_speech",
        "demo_live",
    ]
    assert configs_in(repository) == every_config()
    files = {str(path.relative_to(repository)) for path in repository.rglob("1/*")}
    assert files == {f"demo_frames/1/{name}" for name in FRAME_FILES} | {
        "demo_unet/1/model.onnx",
        "demo_speech/1/model.onnx",
        "demo/1/.gitkeep",
        "demo_live/1/.gitkeep",
        "jpeg_encode/1/.gitkeep",
        "jpeg_live/1/.gitkeep",
    }
    assert (repository / "demo_unet/1/model.onnx").read_text() == "unet_cpu.onnx"
    assert (repository / "demo_speech/1/model.onnx").samefile(folder / "speech.onnx")
    names = {"demo", "demo_frames", "demo_unet", "demo_speech", "demo_live", "jpeg_encode", "jpeg_live"}
    assert {path.name for path in repository.iterdir()} == names


def test_an_avatar_that_cannot_hear_any_more(folder, repository):
    """Imported again without an audio encoder, it has no live models left."""
    write_entries(folder, repository)
    content = json.loads((folder / "avatar.json").read_text())
    (folder / "avatar.json").write_text(json.dumps({**content, "hears": False}))
    assert write_entries(folder, repository) == ["demo_frames", "demo_unet", "demo"]
    assert not (repository / "demo_speech").exists()
    assert not (repository / "demo_live").exists()


def test_data_is_linked(folder, repository):
    """On one file system frame data takes no space twice."""
    write_entries(folder, repository)
    for name in FRAME_FILES:
        assert (repository / "demo_frames" / "1" / name).samefile(folder / name)


def test_the_encoder_is_left_as_it_is(folder, repository):
    """A shared encoder that is already there keeps the user's settings."""
    write_entries(folder, repository)
    (repository / "jpeg_encode" / "config.pbtxt").write_text("mine")
    write_entries(folder, repository)
    assert (repository / "jpeg_encode" / "config.pbtxt").read_text() == "mine"


def test_entries_are_replaced_whole(folder, repository):
    """Importing again leaves nothing of the older entries: no engine of older weights, no stale variant."""
    write_entries(folder, repository)
    once = tree(repository)
    (repository / "demo_unet/1/model.plan").touch()
    (repository / "demo_unet/configs/old.pbtxt").touch()
    write_entries(folder, repository)
    assert tree(repository) == {**once, "demo/2": "folder", "demo_live/2": "folder"}


def test_no_ensemble_without_its_parts(folder, repository):
    """When a part cannot be written, the ensemble, which comes last, is not there."""
    (folder / "unet_cpu.onnx").unlink()
    with pytest.raises(FileNotFoundError):
        write_entries(folder, repository)
    assert {path.name for path in repository.iterdir()} == {"demo_frames", "jpeg_encode"}


def test_no_avatar(repository, tmp_path):
    """A folder that is no avatar is refused before anything is written."""
    with pytest.raises(BadSource):
        write_entries(tmp_path, repository)
    assert not repository.exists()


def test_another_backend_alone(folder, repository):
    """Another backend and instance count rewrite the network's configs, and nothing else."""
    write_entries(folder, repository)
    before = tree(repository)
    options = ServingOptions("tensorrt", 4)
    write_serving(avatar(), folder, repository, options)
    assert configs_in(repository) == every_config(options=options)
    after = tree(repository)
    assert after.keys() == before.keys()
    assert {path.split("/")[0] for path in after if after[path] != before[path]} == {
        "demo_unet",
        "demo_speech",
    }


@pytest.mark.parametrize("prepared", [False, True], ids=["an empty repository", "configs from git"])
def test_the_first_import_is_version_1(folder, repository, prepared):
    """An avatar that was never served begins with version 1, also where its configs are checked in already."""
    if prepared:
        (repository / "demo" / "1").mkdir(parents=True)
        (repository / "demo" / "1" / ".gitkeep").touch()
    write_entries(folder, repository)
    for model in ("demo", "demo_live"):
        assert [path.name for path in (repository / model).glob("[0-9]*")] == ["1"]


def test_new_pictures_are_a_new_version(folder, repository):
    """A second import gives the ensemble a higher version, so that no response cache answers with old pictures."""
    write_entries(folder, repository)
    write_entries(folder, repository)
    write_entries(folder, repository)
    assert sorted(path.name for path in (repository / "demo").iterdir()) == [
        "1",
        "3",
        "config.pbtxt",
        "configs",
    ]
    assert [path.name for path in (repository / "demo_unet").glob("[0-9]")] == ["1"]


def test_a_server_that_starts_meanwhile_sees_no_unfinished_model(folder, repository, monkeypatch):
    """While models are being written, the repository holds nothing but whole ones."""
    seen = set()

    def look(source, target):
        seen.update(path.name for path in repository.iterdir())
        link_or_copy(source, target)

    monkeypatch.setattr("export.repository.entries.link_or_copy", look)
    write_entries(folder, repository)
    assert seen == {"jpeg_encode", "demo_frames", "demo_unet", "demo", "jpeg_live"}


def test_faces_move_into_the_network_and_out(resident_folder, repository):
    """Both ways the models are those of an import that was told so, and the faces take no space twice."""
    held = ServingOptions(frames_in_network=True)
    described = avatar(frame_count=3)
    write_entries(resident_folder, repository)
    plain = tree(repository)
    write_serving(described, resident_folder, repository, held)
    moved = tree(repository)
    assert configs_in(repository) == every_config(described, held)
    assert (repository / "demo_unet/1/faces.npy").samefile(resident_folder / "faces.npy")
    write_serving(described, resident_folder, repository, ServingOptions())
    assert tree(repository) == plain
    write_entries(resident_folder, repository, held)
    assert tree(repository) == {**moved, "demo/2": "folder", "demo_live/2": "folder"}


def test_instances_of_the_helpers(folder, repository):
    """As many processes as were chosen, but for one user; a shared encoder keeps what else somebody wrote in it."""
    write_entries(folder, repository)
    path = repository / "jpeg_encode" / "config.pbtxt"
    path.write_text(path.read_text().replace('"95"', '"80"'))
    write_serving(avatar(), folder, repository, ServingOptions(lookup_instances=3, jpeg_instances=5))

    def count(text):
        return [group.count for group in parse(text).instance_group]

    found = {name: count(text) for name, text in configs_in(repository).items() if "_unet" not in name}
    assert found["demo_frames/config.pbtxt"] == [3]
    assert found["jpeg_encode/config.pbtxt"] == found["jpeg_live/config.pbtxt"] == [5]
    for model in ("demo_frames", "jpeg_encode", "jpeg_live"):
        assert found[f"{model}/configs/latency.pbtxt"] == [1]
    assert parse(path.read_text()).parameters["quality"].string_value == "80"
    write_entries(folder, repository)
    assert count(path.read_text()) == [5]


@pytest.mark.parametrize("options", [ServingOptions(jpeg_instances=2), ServingOptions(jpeg_device="gpu")])
def test_a_shared_encoder_that_is_none(folder, repository, options):
    """A config that somebody broke is named when it is to be changed."""
    write_entries(folder, repository)
    path = repository / "jpeg_encode" / "config.pbtxt"
    path.write_text("mine")
    with pytest.raises(BadSource) as caught:
        write_serving(avatar(), folder, repository, options)
    assert str(caught.value).startswith(
        f"{path}: expected a Triton config, to change its instances or device, got none: 1:"
    )


def test_a_shared_encoder_without_instances(folder, repository):
    """A config that leaves the number of instances to Triton is given it."""
    write_entries(folder, repository)
    path = repository / "jpeg_encode" / "config.pbtxt"
    path.write_text('backend: "jpeg_encode"')
    write_serving(avatar(), folder, repository, ServingOptions(jpeg_instances=2))
    assert [group.count for group in parse(path.read_text()).instance_group] == [2]


def test_jpegs_on_a_gpu_and_back(folder, repository):
    """Encoders move to the GPUs and back, to the byte; meanwhile live pictures stay on the device."""
    write_entries(folder, repository)
    before = configs_in(repository)
    write_serving(avatar(), folder, repository, ServingOptions(jpeg_device="gpu", gpus=(0, 1)))
    for model, stays in (("jpeg_encode", []), ("jpeg_live", ["no"])):
        for path in ("config.pbtxt", "configs/latency.pbtxt"):
            config = parse((repository / model / path).read_text())
            (group,) = config.instance_group
            assert (group.kind, list(group.gpus)) == (group.KIND_GPU, [0, 1])
            assert config.parameters["device"].string_value == "gpu"
            key = "FORCE_CPU_ONLY_INPUT_TENSORS"
            assert [config.parameters[key].string_value for _ in stays if key in config.parameters] == stays
            assert (key in config.parameters) == bool(stays)
    write_serving(avatar(), folder, repository, ServingOptions())
    assert (
        parse((repository / "jpeg_live/config.pbtxt").read_text()).parameters["device"].string_value == "gpu"
    )
    write_serving(avatar(), folder, repository, ServingOptions(jpeg_device="cpu"))
    assert configs_in(repository) == before
