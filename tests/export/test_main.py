"""export/__main__.py"""

import json
import os
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorrt_rtx
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from export.__main__ import main
from tests.export.commands import folders, render, run_process, said
from tests.export.sources import FRAMES, tree
from tests.export.test_avatar_cli import cut_picture

WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name="torch")

sys.meta_path.insert(0, Refuse())
from export.__main__ import main
code = main(sys.argv[1:])
assert "torch" not in sys.modules
sys.exit(code)
"""


@pytest.mark.parametrize("instances", ["0", "-1", "two"])
def test_instances_are_one_or_more(instances, dataset, capsys):
    """A count of instances below one is a wrong call."""
    with pytest.raises(SystemExit, match="2"):
        main(["avatar", "may", *dataset.arguments, "--instances", instances])
    assert "argument --instances" in capsys.readouterr().err


def test_instances_reach_the_configs(dataset, import_avatar, out):
    """The strategies that run several copies run as many as asked for."""
    assert import_avatar(dataset, "--instances", "5") == 0
    config = parse(out / "models" / "may_unet" / "configs" / "hybrid.pbtxt")
    assert [group.count for group in config.instance_group] == [5]


def parse(path):
    return text_format.Parse(path.read_text(), schema.ModelConfig())


def test_compact_onnx(half_width_pth, served, tmp_path, picture, monkeypatch):
    """With --compact the file is half as large, and paints the same but for float16's rounding."""
    monkeypatch.setattr("export.network.verify.MAX_BATCH_SIZE", 1)
    monkeypatch.setattr(
        "export.network.onnx_model.export_network", lambda _, precision: served(precision=precision)
    )
    path = tmp_path / "unet.onnx"
    assert main(["onnx", str(half_width_pth), str(path), "--compact"]) == 0
    assert path.stat().st_size < 0.55 * half_width_pth.stat().st_size
    faces, audio, expected = picture
    assert np.abs(render(path, faces, audio) - expected).max() <= 0.03 * 255


def test_onnx_in_half_precision(half_width_pth, served, tmp_path, picture, capsys, monkeypatch):
    """A checkpoint becomes a float16 file with uint8/float32 borders, verified within its tolerance."""
    monkeypatch.setattr("export.network.verify.MAX_BATCH_SIZE", 2)  # 16 is for test_verify.py
    monkeypatch.setattr(
        "export.network.onnx_model.export_network", lambda _, precision: served(precision=precision)
    )
    path = tmp_path / "deep" / "unet.onnx"
    assert main(["onnx", str(half_width_pth), str(path), "--precision", "fp16"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"exporting {half_width_pth} (U-Net 328, width 0.5, ave, fp16)"
    assert [line.split(":")[0] for line in lines[1:3]] == ["  batch  1", "  batch  2"]
    assert all("(tolerance 3e-02)" in line for line in lines[1:3])
    assert lines[3] == f"{path}: {path.stat().st_size / 1e6:.1f} MB"
    assert path.stat().st_size < 2 * 3.3e6
    assert list(tree(tmp_path)) == ["deep", "deep/unet.onnx"]
    faces, audio, expected = picture
    assert np.abs(render(path, faces, audio) - expected).max() <= 0.03 * 255


def test_tensorrt(dataset, import_avatar, out, capsys):
    """An avatar's engine is built beside its ONNX file, and every strategy then serves from it."""
    assert import_avatar(dataset) == 0
    capsys.readouterr()
    assert main(["tensorrt", "may", *folders(out), "--instances", "3", "--optimum-batch", "4"]) == 0
    folder = out / "models" / "may_unet"
    plans = [folder / "1" / "model.plan", folder / "1" / "single.plan"]
    assert {path.name for path in (folder / "1").iterdir()} == {"model.onnx", "model.plan", "single.plan"}
    assert all(2 * 3.0e6 < plan.stat().st_size < 4 * 3.0e6 for plan in plans)
    assert capsys.readouterr().out == "".join(
        f"{plan}: {plan.stat().st_size / 1e6:.1f} MB, fp16, batch 1 to 16\n" for plan in plans
    )
    configs = [folder / "config.pbtxt", *(folder / "configs").iterdir()]
    assert len(configs) == 6
    for config in map(parse, configs):
        plan = "model.plan" if config.HasField("dynamic_batching") else "single.plan"
        assert (config.backend, config.default_model_filename) == ("tensorrt", plan)
    assert parse(folder / "configs" / "hybrid.pbtxt").instance_group[0].count == 3


def test_strategies(dataset, import_avatar, out, capsys):
    """An avatar's variants are written anew with other counts and batches, on the backend it is served from."""
    assert import_avatar(dataset) == 0
    capsys.readouterr()
    options = ["--instances", "3", "--batch-sizes", "2,4", "--queue-delay-us", "500", "--threads", "1"]
    assert main(["strategies", "may", *folders(out), *options, "--gpus", "0,1"]) == 0
    folder = out / "models" / "may_unet"
    assert capsys.readouterr().out == f"{folder}: 3 instances, onnxruntime\n"
    hybrid = parse(folder / "configs" / "hybrid.pbtxt")
    assert (hybrid.instance_group[0].count, list(hybrid.instance_group[0].gpus)) == (3, [0, 1])
    assert list(hybrid.dynamic_batching.preferred_batch_size) == [2, 4]
    assert hybrid.dynamic_batching.max_queue_delay_microseconds == 500
    assert hybrid.parameters["intra_op_thread_count"].string_value == "1"
    latency = parse(folder / "config.pbtxt")
    assert (latency.instance_group[0].count, latency.HasField("dynamic_batching")) == (1, False)


def test_frames_in_the_network(dataset, import_avatar, out, capsys):
    """The faces move into the network and stay there until a command says otherwise; engines are built as they lie."""
    assert import_avatar(dataset) == 0
    network = out / "models" / "may_unet"

    def run(command, *options):
        assert main([command, "may", *folders(out), *options]) == 0
        return [tensor.name for tensor in parse(network / "config.pbtxt").input]

    options = ["--lookup-instances", "2", "--jpeg-instances", "6", "--frames-in-network"]
    assert run("strategies", *options) == ["face_id", "audio"]
    assert parse(out / "models" / "may_frames" / "config.pbtxt").instance_group[0].count == 2
    assert parse(out / "models" / "jpeg_encode" / "config.pbtxt").instance_group[0].count == 6
    assert run("strategies") == ["face_id", "audio"]
    assert run("strategies", "--no-frames-in-network") == ["face", "audio"]
    assert not (network / "1" / "faces.npy").exists()
    assert run("tensorrt", "--frames-in-network") == ["face_id", "audio"]
    with_faces = (network / "1" / "model.plan").stat().st_size
    capsys.readouterr()
    before = tree(out)
    assert main(["strategies", "may", *folders(out), "--no-frames-in-network"]) == 1
    assert said(capsys) == (
        f"error: {network}: expected engines built so: python -m export tensorrt may with the same option, "
        "got others, whose faces lie elsewhere"
    )
    assert tree(out) == before
    assert run("tensorrt", "--no-frames-in-network") == ["face", "audio"]
    faces = (out / "avatars" / "may" / "faces.npy").stat().st_size
    assert with_faces - (network / "1" / "model.plan").stat().st_size == pytest.approx(2 * faces, rel=0.1)


def test_strategies_in_float16(dataset, import_avatar, out, capsys):
    """A network is served in float16 and back: another file, which is kept where nothing is said of it."""
    assert import_avatar(dataset) == 0
    folder = out / "models" / "may_unet"
    before = tree(folder)
    options = ["strategies", "may", *folders(out), "--instances", "2"]
    for choice in (["--precision", "fp16", "--gpus", "0"], []):
        capsys.readouterr()
        assert main([*options, *choice]) == 0
        assert capsys.readouterr().out == f"{folder}: 2 instances, onnxruntime, fp16\n"
        config = parse(folder / "configs" / "hybrid.pbtxt")
        assert (config.backend, config.default_model_filename) == ("onnxruntime", "half.onnx")
        assert list(config.instance_group[0].gpus) == ([0] if choice else [])
    types = {one.data_type for one in onnx.load(folder / "1" / "half.onnx").graph.initializer}
    assert onnx.TensorProto.FLOAT16 in types
    assert main([*options, "--precision", "fp32"]) == 0
    assert tree(folder) == before


def test_float16_of_engines(dataset, import_avatar, out, capsys):
    """A network that is served from engines has its precision in them, and nothing is changed."""
    assert import_avatar(dataset) == 0
    folder = out / "models" / "may_unet"
    config = folder / "config.pbtxt"
    config.write_text(config.read_text().replace('backend: "onnxruntime"', 'backend: "tensorrt"'))
    before = tree(out)
    assert main(["strategies", "may", *folders(out), "--precision", "fp16"]) == 1
    expected = "engines built so: python -m export tensorrt may --precision fp16"
    assert said(capsys) == f"error: {folder}: expected {expected}, got a network that is served from engines"
    assert tree(out) == before


def test_float16_with_the_faces_in_the_network(dataset, import_avatar, out):
    """Both files then take the faces from beside them."""
    assert import_avatar(dataset) == 0
    folder = out / "models" / "may_unet" / "1"
    options = ["strategies", "may", *folders(out), "--precision", "fp16"]
    assert main([*options, "--frames-in-network"]) == 0
    for file in ("model.onnx", "half.onnx"):
        session = onnxruntime.InferenceSession(folder / file, providers=["CPUExecutionProvider"])
        assert {tensor.name for tensor in session.get_inputs()} == {"face_id", "audio"}
    assert main([*options, "--no-frames-in-network"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["half.onnx", "model.onnx"]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--batch-sizes", "4,32", "expected batches of at most 16, got 32"),
        ("--batch-sizes", "0", "expected an integer of 1 or more, got '0'"),
        ("--gpus", "first", "expected GPU numbers separated by commas, got first"),
    ],
)
def test_serving_options_that_cannot_be(capsys, option, value, said):
    """A batch that no config allows and a GPU that is no number are refused with what was expected."""
    with pytest.raises(SystemExit):
        main(["strategies", "may", option, value])
    assert said in capsys.readouterr().err


def test_tensorrt_failures(dataset, import_avatar, out, capsys, monkeypatch):
    """An unknown avatar, one without models, and no TensorRT each give one sentence and change nothing."""
    assert main(["tensorrt", "may", *folders(out)]) == 1
    assert said(capsys).startswith(
        f"error: {out / 'avatars' / 'may' / 'avatar.json'}: expected an avatar's description"
    )
    assert import_avatar(dataset) == 0
    before = tree(out)
    capsys.readouterr()
    elsewhere = out / "elsewhere"
    assert (
        main(["tensorrt", "may", "--avatars", str(out / "avatars"), "--model-repository", str(elsewhere)])
        == 1
    )
    expected = "the avatar's models in the model repository"
    assert said(capsys) == f"error: {elsewhere / 'may_unet' / '1'}: expected {expected}, got nothing there"
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    assert main(["tensorrt", "may", *folders(out)]) == 1
    assert said(capsys) == (
        "error: this needs tensorrt or tensorrt_rtx: pip install 'triton-lipsync[tensorrt]'"
    )
    assert tree(out) == before


def test_tensorrt_refuses(dataset, import_avatar, out, capsys, monkeypatch):
    """What TensorRT cannot build is said in its words, and the configs stay with ONNX Runtime."""
    assert import_avatar(dataset) == 0
    before = tree(out)
    monkeypatch.setattr(tensorrt_rtx.Builder, "build_serialized_network", lambda *_: None)
    capsys.readouterr()
    assert main(["tensorrt", "may", *folders(out)]) == 1
    assert said(capsys).startswith("error: TensorRT cannot build the engine: ")
    assert tree(out) == before


def test_import_without_torch(package, bare_onnx, out):
    """Where torch cannot be imported, ONNX weights make an avatar all the same, also from a checkpoint folder."""
    (package.folder / "checkpoint").mkdir()
    os.link(bare_onnx, package.folder / "checkpoint" / "model_best.onnx")
    done = run_process(["-c", WITHOUT_TORCH], "avatar", "may", *package.arguments, *folders(out))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((out / "avatars" / "may" / "avatar.json").read_text())["frame_count"] == FRAMES


def test_checkpoint_without_torch(package, half_width_pth, out):
    """Where torch cannot be imported, a .pth says what to install, and nothing is written."""
    arguments = [*package.arguments, *folders(out), "--checkpoint", str(half_width_pth)]
    done = run_process(["-c", WITHOUT_TORCH], "avatar", "may", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: this needs torch: pip install 'triton-lipsync[export]'\n"
    assert not out.exists()


def test_decoders_keep_quiet(video_source, bare_onnx, out):
    """As a command, too, a broken video gives one line: what FFmpeg and OpenCV would add is silenced."""
    video = video_source.folder / "video.mp4"
    (video_source.folder / "video.avi").rename(video)
    video.write_bytes(b"\0\0\0\x20ftypisom" + bytes(100))
    arguments = [argument.replace("video.avi", "video.mp4") for argument in video_source.arguments]
    done = run_process(
        ["-m", "export"], "avatar", "may", *arguments, *folders(out), "--checkpoint", str(bare_onnx)
    )
    assert done.returncode == 1
    assert (
        done.stderr == f"error: {video}: expected a video that FFmpeg can decode, got 112 bytes it cannot\n"
    )
    assert not out.exists()


def test_a_cut_picture_prints_nothing_else(dataset, bare_onnx, out):
    """As a command, a cut picture gives one line: the decoder does not see it."""
    path, sentence = cut_picture(dataset)
    arguments = [*dataset.arguments, *folders(out), "--checkpoint", str(bare_onnx)]
    done = run_process(["-m", "export"], "avatar", "may", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {path}: {sentence}\n"
