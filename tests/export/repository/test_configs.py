"""export/repository/configs.py"""

import re
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from export.repository.avatar import Avatar
from export.repository.configs import (
    BACKENDS,
    ServingOptions,
    ensemble_configs,
    frames_configs,
    jpeg_configs,
    live_configs,
    live_jpeg_configs,
    speech_configs,
    unet_configs,
)

REPOSITORY = Path(__file__).parents[3] / "model_repository"
INT32, UINT8, FP32, STRING = schema.TYPE_INT32, schema.TYPE_UINT8, schema.TYPE_FP32, schema.TYPE_STRING
PICTURE = (UINT8, [320, 320, 3])
WINDOWS = {"ave": [32, 16, 16], "hubert": [32, 32, 32], "wenet": [256, 16, 32]}


def avatar(**changes):
    values = {
        "name": "demo",
        "fps": 25.0,
        "frame_count": 150,
        "audio_mode": "ave",
        "edge_padding": "zeros",
        "hears": True,
    }
    return Avatar(**{**values, "source": "video video.avi", **changes})


def every_config(described=None, options=None):
    """Return all of an avatar's configs by their path in the model repository."""
    described, options = described or avatar(), options or ServingOptions()
    name = described.name
    return {
        **{f"{name}_frames/{path}": text for path, text in frames_configs(described, options).items()},
        **{f"jpeg_encode/{path}": text for path, text in jpeg_configs(options).items()},
        **{f"{name}/{path}": text for path, text in ensemble_configs(described, options).items()},
        **{f"{name}_unet/{path}": text for path, text in unet_configs(described, options).items()},
        **{f"{name}_speech/{path}": text for path, text in speech_configs(described, options).items()},
        **{f"{name}_live/{path}": text for path, text in live_configs(described, options).items()},
        **{f"jpeg_live/{path}": text for path, text in live_jpeg_configs(options).items()},
    }


def parse(text):
    return text_format.Parse(text, schema.ModelConfig())


def tensors(values):
    return {value.name: (value.data_type, list(value.dims)) for value in values}


def test_checked_in_configs_are_the_generators():
    """The demo avatar's files in the model repository are what the generator writes, all of them, byte for byte."""
    assert {
        str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8")
        for model in (
            "demo",
            "demo_frames",
            "demo_unet",
            "demo_speech",
            "demo_live",
            "jpeg_encode",
            "jpeg_live",
        )
        for path in (REPOSITORY / model).rglob("*.pbtxt")
    } == every_config(avatar(frame_count=555))


@pytest.mark.parametrize("path", every_config())
def test_every_tensor_has_a_comment(path):
    """Each input and output block begins with a line that says what the tensor holds."""
    text = every_config()[path]
    blocks = re.findall(r"^(?:input|output) \{\n(.*)\n", text, re.MULTILINE)
    config = parse(text)
    assert len(blocks) == len(config.input) + len(config.output) > 0
    for line in blocks:
        assert re.fullmatch(r"  # .{15,}", line)


@pytest.mark.parametrize("path", every_config())
def test_every_config_is_its_folders(path):
    """Each file parses into Triton's schema, bears its folder's name and takes batches of up to 16."""
    config = parse(every_config()[path])
    assert config.name == Path(path).parts[0]
    assert config.max_batch_size == 16


@pytest.mark.parametrize("mode", WINDOWS)
def test_tensors_of_the_contract(mode):
    """Names, types and dims (without the batch axis) are the contract's in every audio mode."""
    configs = {path: parse(text) for path, text in every_config(avatar(audio_mode=mode)).items()}
    audio = (FP32, WINDOWS[mode])
    ensemble, frames = configs["demo/config.pbtxt"], configs["demo_frames/config.pbtxt"]
    unet, jpeg = configs["demo_unet/config.pbtxt"], configs["jpeg_encode/config.pbtxt"]
    assert tensors(ensemble.input) == tensors(frames.input) == {"frame_id": (INT32, [1])}
    assert tensors(ensemble.output) == {"jpeg": (STRING, [1]), "bounds": (INT32, [4])}
    assert tensors(frames.output) == {
        "face": PICTURE,
        "audio": audio,
        "bounds": (INT32, [4]),
        "full_frame": (STRING, [1]),
        "sound": (schema.TYPE_INT16, [640]),
    }
    assert tensors(unet.input) == {"face": PICTURE, "audio": audio}
    assert tensors(unet.output) == {"image": PICTURE}
    assert tensors(jpeg.input) == {"image": (UINT8, [-1, -1, 3])}  # avatars of all sizes share it
    assert tensors(jpeg.output) == {"jpeg": (STRING, [1])}


@pytest.mark.parametrize(("fps", "samples"), [(25.0, 640), (30.0, 534), (29.97, 534), (60.0, 267)])
def test_sound_of_other_rates(fps, samples):
    """A frame's sound is at least as long as the frame is shown, in whole samples of 16 kHz."""
    assert tensors(parse(frames_configs(avatar(fps=fps))["config.pbtxt"]).output)["sound"][1] == [samples]


@pytest.mark.parametrize(("mode", "window"), [("hubert", [16, 32, 32]), ("wenet", [128, 16, 32])])
def test_tensors_of_the_smaller_network(mode, window):
    """An avatar of the U-Net 160 has its sizes in every model of its own, and hears 8 vectors."""
    mask = {"mask_rows": (5, 150), "mask_columns": (5, 155)}
    described = avatar(
        audio_mode=mode, network="U-Net 160", audio_window=8, resizing="area", hears=False, **mask
    )
    frames, unet = (
        parse(frames_configs(described)["config.pbtxt"]),
        parse(unet_configs(described, ServingOptions())["config.pbtxt"]),
    )
    picture, audio = (UINT8, [160, 160, 3]), (FP32, window)
    assert tensors(frames.output)["face"] == picture
    assert tensors(frames.output)["audio"] == audio
    assert tensors(unet.input) == {"face": picture, "audio": audio}
    assert tensors(unet.output)["image"] == picture
    assert frames.parameters["audio_window"].string_value == "8"


def test_ensemble_steps():
    """The ensemble runs lookup, network and encoder, and never asks the lookup for the full frame."""
    config = parse(ensemble_configs(avatar(name="may"))["config.pbtxt"])
    assert config.platform == "ensemble"
    assert [
        (step.model_name, dict(step.input_map), dict(step.output_map))
        for step in config.ensemble_scheduling.step
    ] == [
        ("may_frames", {"frame_id": "frame_id"}, {"face": "face", "audio": "audio", "bounds": "bounds"}),
        ("may_unet", {"face": "face", "audio": "audio"}, {"image": "image"}),
        ("jpeg_encode", {"image": "image"}, {"jpeg": "jpeg"}),
    ]


def test_faces_in_the_network():
    """The network is given the number of a face, once the lookup has found it in range; nothing else changes."""
    held, usual = ServingOptions(frames_in_network=True), ServingOptions()
    configs = {path: parse(text) for path, text in every_config(options=held).items()}
    assert tensors(configs["demo_unet/config.pbtxt"].input) == {
        "face_id": (INT32, [1]),
        "audio": (FP32, [32, 16, 16]),
    }
    assert tensors(configs["demo_frames/config.pbtxt"].output)["face_id"] == (INT32, [1])
    for model, given in (("demo", {"face_id", "audio", "bounds"}), ("demo_live", {"face_id", "bounds"})):
        lookup, network, _ = configs[f"{model}/config.pbtxt"].ensemble_scheduling.step
        assert dict(lookup.output_map) == {name: name for name in given}
        assert dict(network.input_map) == {"face_id": "face_id", "audio": "audio"}
        for side in ("input", "output"):
            usual_side = getattr(parse(every_config(options=usual)[f"{model}/config.pbtxt"]), side)
            assert getattr(configs[f"{model}/config.pbtxt"], side) == usual_side


def test_metadata_parameters():
    """What clients read as metadata stands in the parameters of the frame lookup."""
    config = parse(
        frames_configs(avatar(fps=29.97, frame_count=523, audio_mode="wenet", edge_padding="repeat"))[
            "config.pbtxt"
        ]
    )
    assert {key: value.string_value for key, value in config.parameters.items()} == {
        "fps": "29.97",
        "frame_count": "523",
        "audio_mode": "wenet",
        "edge_padding": "repeat",
        "audio_window": "16",
    }
    assert config.backend == "frame_lookup"


def test_encoder_parameters():
    """The encoder gives 256x256 pictures at quality 95, as the predecessor's answers are."""
    config = parse(jpeg_configs()["config.pbtxt"])
    assert {key: value.string_value for key, value in config.parameters.items()} == {
        "size": "256",
        "quality": "95",
    }
    assert config.backend == "jpeg_encode"


@pytest.mark.parametrize(
    ("variant", "batching", "instances", "cache"),
    [
        ("latency", False, 1, False),
        ("batching", True, 1, False),
        ("multi_instance", False, 3, False),
        ("hybrid", True, 3, False),
        ("replay", True, 3, True),
    ],
)
def test_variants(variant, batching, instances, cache):
    """Each strategy is a variant of the network's config; the cache is the ensemble's alone."""
    configs = every_config(options=ServingOptions(instances=3))
    unet = parse(configs[f"demo_unet/configs/{variant}.pbtxt"])
    assert unet.HasField("dynamic_batching") == batching
    assert [group.count for group in unet.instance_group] == [instances]
    assert not unet.HasField("response_cache")
    ensemble = parse(configs.get(f"demo/configs/{variant}.pbtxt", configs["demo/config.pbtxt"]))
    assert ensemble.response_cache.enable == cache


def test_plain_config_is_the_latency_variant():
    """Without a variant's name Triton loads the lowest latency."""
    configs = unet_configs(avatar(), ServingOptions())
    assert configs["config.pbtxt"] == configs["configs/latency.pbtxt"]


def test_onnxruntime_backend():
    """Every variant names ONNX Runtime and its file."""
    assert BACKENDS == {"onnxruntime": "model.onnx", "tensorrt": "model.plan"}
    for text in unet_configs(avatar(), ServingOptions()).values():
        config = parse(text)
        assert (config.backend, config.default_model_filename) == ("onnxruntime", "model.onnx")
        assert not config.HasField("optimization")


@pytest.mark.parametrize(
    ("variant", "file", "graphs"),
    [
        ("latency", "single.plan", [1]),
        ("multi_instance", "single.plan", [1]),
        ("hybrid", "model.plan", [1, 2, 4, 8, 16]),
    ],
)
def test_tensorrt_backend(variant, file, graphs):
    """Strategies that batch load the engine for batches, the others that for single frames; both with CUDA graphs."""
    config = parse(unet_configs(avatar(), ServingOptions("tensorrt"))[f"configs/{variant}.pbtxt"])
    assert (config.backend, config.default_model_filename) == ("tensorrt", file)
    assert config.optimization.cuda.graphs
    assert [spec.batch_size for spec in config.optimization.cuda.graph_spec] == graphs


@pytest.mark.parametrize(
    ("choice", "file"),
    [({"gpus": (0,)}, "model.onnx"), ({"precision": "fp16"}, "half.onnx")],
    ids=["placed on a GPU", "float16"],
)
def test_onnxruntime_on_gpus(choice, file):
    """What is meant for GPUs has a CUDA graph for each batch, a third of it padding at most."""
    options = ServingOptions(**choice)
    configs = unet_configs(avatar(), options)
    hybrid, latency = parse(configs["configs/hybrid.pbtxt"]), parse(configs["configs/latency.pbtxt"])
    for config in (hybrid, latency):
        assert (config.backend, config.default_model_filename) == ("onnxruntime", file)
        assert config.parameters["cudnn_conv_algo_search"].string_value == "1"
        assert config.optimization.cuda.graphs
    specs = {
        spec.batch_size: spec.graph_lower_bound.batch_size for spec in hybrid.optimization.cuda.graph_spec
    }
    covered = [batch for size, least in specs.items() for batch in range(least or size, size + 1)]
    assert covered == list(range(1, 17))
    assert all(size <= 1.5 * (least or size) for size, least in specs.items())
    assert [spec.batch_size for spec in latency.optimization.cuda.graph_spec] == [1]
    speech = parse(speech_configs(avatar(), options)["config.pbtxt"])
    assert speech.default_model_filename == "model.onnx"  # its logarithm spans more than float16 does
    assert speech.optimization.cuda.graphs


def test_placement():
    """Instances are placed on the GPUs that are named, so many on each."""
    config = parse(unet_configs(avatar(), ServingOptions(instances=3, gpus=(0, 2)))["configs/hybrid.pbtxt"])
    (group,) = config.instance_group
    assert (group.count, group.kind, list(group.gpus)) == (3, schema.ModelInstanceGroup.KIND_GPU, [0, 2])


@pytest.mark.parametrize("configs", [frames_configs(avatar()), jpeg_configs()], ids=["frames", "jpeg"])
def test_one_user_does_not_wait_for_a_batch(configs):
    """The stages beside the network batch, except in the strategy for one user, and differ in nothing else."""
    batching, alone = parse(configs["config.pbtxt"]), parse(configs["configs/latency.pbtxt"])
    assert batching.HasField("dynamic_batching")
    assert not alone.HasField("dynamic_batching")
    batching.ClearField("dynamic_batching")
    assert batching == alone
