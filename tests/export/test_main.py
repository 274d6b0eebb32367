"""export/__main__.py"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import tensorrt_rtx
import torch
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from demo.weights import AUDIO_ENCODER_PATH
from export.__main__ import main
from export.contract import FACE_SIZE
from export.errors import MissingFaceModels
from export.footage import clip
from export.footage.detect import find_models
from export.network.audio_encoder import AveEncoder
from export.repository.avatar import read_avatar
from tests.export.network.test_unet import network_input
from tests.export.recordings import astronaut, beeps, write_recording
from tests.export.sources import FRAMES, edit_json, smooth_picture, speech_features, tree, write_video
from tests.vectors import inputs

ROOT = Path(__file__).parents[2]

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


@pytest.fixture
def out(tmp_path):
    """Where avatars and models go; not made yet."""
    return tmp_path / "out"


@pytest.fixture
def import_avatar(out, bare_onnx):
    """Import an avatar from a source; the weights are the bare ONNX file's unless others are named."""

    def run(source, *extra, name="may"):
        weights = [] if "--checkpoint" in extra else ["--checkpoint", str(bare_onnx)]
        return main(["avatar", name, *source.arguments, *folders(out), *weights, *extra])

    return run


def folders(out):
    return ["--avatars", str(out / "avatars"), "--model-repository", str(out / "models")]


def said(capsys):
    """Return the one line of standard error."""
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("\n")
    return captured.err.rstrip("\n")


def run_process(code, *arguments):
    return subprocess.run(
        [sys.executable, *code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def render(path, faces, audio):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["image"], {"face": faces, "audio": audio})[0].astype(int)


@pytest.fixture(scope="session")
def picture(network):
    """Two frames, and what PyTorch renders of them with the reference weights."""
    faces, audio = inputs(2, salt=8)
    with torch.inference_mode():
        output = network()(torch.from_numpy(network_input(faces)), torch.from_numpy(audio)).numpy()
    return faces, audio, (output * 255).astype(np.uint8).transpose(0, 2, 3, 1)


@pytest.mark.parametrize("kind", ["dataset", "package", "video_source"])
def test_every_source(request, import_avatar, out, capsys, kind):
    """A dataset, a package and a video each become an avatar with the source's faces, squares and features."""
    source = request.getfixturevalue(kind)
    assert import_avatar(source, "--edge-padding", "repeat") == 0
    folder = out / "avatars" / "may"
    np.testing.assert_array_equal(np.load(folder / "faces.npy"), source.faces)
    np.testing.assert_array_equal(np.load(folder / "bounds.npy"), source.squares)
    np.testing.assert_array_equal(np.load(folder / "audio_features.npy"), source.features)
    sound = source.sound if source.sound.size else np.zeros(FRAMES * 640, np.int16)
    np.testing.assert_array_equal(np.load(folder / "sound.npy").reshape(-1), sound)
    described = read_avatar(folder)
    assert (described.frame_count, described.fps, described.edge_padding) == (FRAMES, 25.0, "repeat")
    expected = {"dataset": "dataset May", "package": "package sanders", "video_source": "video video.avi"}
    assert described.source == expected[kind]
    assert {path.name for path in (out / "models").iterdir()} == {
        "may",
        "may_frames",
        "may_unet",
        "jpeg_encode",
    }
    silent = f"{folder}: video video.avi comes without sound, so this avatar is silent\n"
    assert capsys.readouterr().out == (
        f"{folder}: {FRAMES} frames at 25 fps, ave features\n"
        f"{'' if source.sound.size else silent}"
        f"{folder}: plays its clip, and cannot be spoken to: that needs --audio-encoder, or an encoder beside the "
        "checkpoint\n"
        f"{out / 'models'}: may_frames, may_unet, may\n"
        f"{folder / 'contact_sheet.jpg'}: are the crops right?\n"
    )
    assert cv2.imread(str(folder / "contact_sheet.jpg")).shape[1] > 4 * FACE_SIZE


@pytest.mark.parametrize("beside", [True, False], ids=["beside the checkpoint", "given"])
def test_an_avatar_that_can_be_spoken_to(dataset, bare_onnx, out, tmp_path, capsys, beside):
    """With an audio encoder, found beside the checkpoint or given, it has the models of live speech."""
    checkpoint, encoder = (
        tmp_path / "run" / "unet.onnx",
        tmp_path / ("run" if beside else "x") / "audio_encoder.onnx",
    )
    for path, source in ((checkpoint, bare_onnx), (encoder, AUDIO_ENCODER_PATH)):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source.read_bytes())
    given = [] if beside else ["--audio-encoder", str(encoder)]
    arguments = [*dataset.arguments, "--checkpoint", str(checkpoint), *given, *folders(out)]
    assert main(["avatar", "may", *arguments]) == 0
    assert f"{out / 'avatars' / 'may'}: can be spoken to, hearing with {encoder}\n" in capsys.readouterr().out
    assert read_avatar(out / "avatars" / "may").hears
    models = out / "models"
    assert {path.name for path in models.iterdir()} >= {"may_speech", "may_live", "jpeg_live"}
    assert (models / "may_speech" / "1" / "model.onnx").samefile(out / "avatars" / "may" / "speech.onnx")


def test_a_clip_of_other_features_cannot_be_spoken_to(dataset, out, capsys):
    """An encoder of ave features is refused for a hubert network."""
    words = ["--audio-mode", "hubert", "--audio-encoder", str(AUDIO_ENCODER_PATH), "--checkpoint", "x.pth"]
    with pytest.raises(SystemExit, match="2"):
        main(["avatar", "may", "--package", "nowhere", *words, *folders(out)])
    assert "--audio-encoder gives ave features, and this is --audio-mode hubert" in capsys.readouterr().err


def test_package_with_its_own_checkpoint(package, half_width_pth, out, picture, capsys, monkeypatch):
    """A package's own .pth is exported, verified and served; the served file renders what PyTorch does."""
    monkeypatch.setattr("export.network.verify.MAX_BATCH_SIZE", 2)  # 16 is for test_verify.py
    checkpoint = package.folder / "checkpoint" / "best_trainloss.pth"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(half_width_pth.read_bytes())
    assert main(["avatar", "may", *package.arguments, *folders(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"exporting {checkpoint} (width 0.5, ave, fp32)"
    assert "greatest difference" in lines[1]
    assert "(tolerance 1e-04)" in lines[2]
    faces, audio, expected = picture
    assert (
        np.abs(render(out / "models" / "may_unet" / "1" / "model.onnx", faces, audio) - expected).max() <= 1
    )


def test_package_with_its_own_onnx(package, bare_onnx, out, picture):
    """A package's own model_best.onnx gets its borders and is served."""
    (package.folder / "checkpoint").mkdir()
    (package.folder / "checkpoint" / "model_best.onnx").write_bytes(bare_onnx.read_bytes())
    assert main(["avatar", "may", *package.arguments, *folders(out)]) == 0
    faces, audio, expected = picture
    assert np.abs(render(out / "avatars" / "may" / "unet.onnx", faces, audio) - expected).max() <= 1


def test_source_without_weights(package, out, capsys):
    """A source that brings no weights asks for them."""
    assert main(["avatar", "may", *package.arguments, *folders(out)]) == 1
    assert said(capsys) == "error: sanders: expected --checkpoint, as this source brings no weights, got none"


def cut_picture(source):
    path = source.folder / "full_body_img" / "3.jpg"
    path.write_bytes(path.read_bytes()[:700])
    return path, "expected a whole JPEG picture, got 700 bytes that are none"


def short_landmarks(source):
    path = source.folder / "landmarks" / "3.lms"
    path.write_text("10 20\n" * 109)
    return path, "expected 110 lines 'x y', got 109 lines"


def face_outside(source):
    path = source.folder / "landmarks" / "3.lms"
    path.write_text("900 900\n" * 110)
    square = "[900, 900, 900, 900]"
    return path, f"expected a face square of at least 32 pixels inside the 256x224 picture, got {square}"


def absent_picture(source):
    path = source.folder / "full_body_img"
    (path / "3.jpg").unlink()
    return path, "expected every file from 0.jpg to 5.jpg, got 1 absent, the first 3.jpg"


def not_finite(source):
    path = source.folder / "aud_ave.npy"
    features = speech_features(FRAMES)
    features[3, 100] = np.nan
    np.save(path, features)
    return path, "expected T vectors of 512 float values (ave), got values that are not finite"


def too_wide(source):
    path = source.folder / "aud_ave.npy"
    np.save(path, np.zeros((FRAMES, 1024), np.float32))
    return path, f"expected T vectors of 512 float values (ave), got an array of shape ({FRAMES}, 1024)"


def absent_features(source):
    path = source.folder / "aud_ave.npy"
    path.unlink()
    return path, "expected T vectors of 512 float values (ave), got nothing there"


def broken_sound(source):
    path = source.folder / "aud.wav"
    path.write_bytes(b"no sound")
    return path, "expected a PCM WAV file of 8, 16, 24 or 32 bits, got Format not recognised"


def short_video(source):
    name = "video.avi" if (source.folder / "video.avi").is_file() else "full_body_video.avi"
    write_video(source.folder / name, [smooth_picture(index) for index in range(4)])
    return source.folder / name, "expected a video of at least 6 frames, got 4 that can be decoded"


def no_video(source):
    path = source.folder / "video.avi"
    path.write_bytes(b"no video" * 20)
    return path, "expected a video that FFmpeg can decode, got 160 bytes it cannot"


def absent_video(source):
    path = source.folder / "rois_320_video.avi"
    path.unlink()
    return path, "expected a video file, got nothing there"


def broken_info(source):
    path = source.folder / "package_info.json"
    path.write_text("{")
    problem = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    return path, f"expected a JSON object, got text that is not JSON ({problem})"


def empty_rectangle(source):
    path = source.folder / "cache" / "crop_rectangles.json"
    edit_json(path, "3", "rect", value=[5, 5, 5, 9])
    return path, "expected x1 < x2 and y1 < y2 in every frame, got [5, 5, 5, 9] in frame 3"


BROKEN = [
    ("dataset", cut_picture),
    ("dataset", short_landmarks),
    ("dataset", face_outside),
    ("dataset", absent_picture),
    ("dataset", not_finite),
    ("dataset", too_wide),
    ("dataset", absent_features),
    ("dataset", broken_sound),
    ("package", short_video),
    ("package", absent_video),
    ("package", not_finite),
    ("package", broken_info),
    ("package", empty_rectangle),
    ("video_source", short_video),
    ("video_source", short_landmarks),
    ("video_source", no_video),
]


@pytest.mark.parametrize(("kind", "break_it"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_source(request, import_avatar, out, tmp_path, capsys, kind, break_it):
    """A broken file gives exit code 1 and one sentence that names it, and leaves no file or folder behind."""
    source = request.getfixturevalue(kind)
    path, sentence = break_it(source)
    before = tree(tmp_path)
    assert import_avatar(source) == 1
    assert said(capsys) == f"error: {path}: {sentence}"
    assert tree(tmp_path) == before
    assert not out.exists()


@pytest.mark.parametrize("break_it", [cut_picture, not_finite])
def test_the_older_avatar_stays(dataset, import_avatar, tmp_path, capsys, break_it):
    """When importing again fails, the avatar and the models of that name are as they were."""
    assert import_avatar(dataset) == 0
    break_it(dataset)
    before = tree(tmp_path)
    assert import_avatar(dataset) == 1
    assert tree(tmp_path) == before
    said(capsys)


@pytest.mark.parametrize("imported_before", [False, True])
def test_ctrl_c_in_the_middle(dataset, import_avatar, tmp_path, capsys, monkeypatch, imported_before):
    """Ctrl-C at the fourth frame ends with code 130 and leaves everything as it was."""
    if imported_before:
        assert import_avatar(dataset) == 0
    before = tree(tmp_path)
    read_landmarks = clip.read_landmarks

    def interrupted(path):
        if path.name == "3.lms":
            signal.raise_signal(signal.SIGINT)
        return read_landmarks(path)

    monkeypatch.setattr(clip, "read_landmarks", interrupted)
    assert import_avatar(dataset) == 130
    assert capsys.readouterr().err == "\ninterrupted: nothing half-written stays behind\n"
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["../may", "jpeg_encode", "ma y"])
def test_bad_names(dataset, import_avatar, out, capsys, name):
    """A name that cannot be a Triton model's, or is another model's, is refused before anything is read."""
    assert import_avatar(dataset, name=name) == 1
    assert said(capsys).startswith("error: expected an avatar name of ")
    assert not out.exists()


def test_bad_weights(dataset, import_avatar, out, tmp_path, capsys):
    """Weights that are none leave nothing behind either."""
    (tmp_path / "a.pth").touch()
    assert import_avatar(dataset, "--checkpoint", str(tmp_path / "a.pth")) == 1
    expected = "a whole PyTorch checkpoint of tensors only, got an empty file"
    assert said(capsys) == f"error: {tmp_path / 'a.pth'}: expected {expected}"
    assert not out.exists()


def test_a_folder_that_cannot_be_made(dataset, import_avatar, tmp_path, capsys):
    """Where the system refuses, its reason and the path are the sentence."""
    (tmp_path / "out").write_text("a file, not a folder")
    assert import_avatar(dataset) == 1
    assert said(capsys).startswith("error: [Errno ")
    assert (tmp_path / "out").read_text() == "a file, not a folder"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "--video needs either --audio-encoder, or --landmarks and --audio-features"),
        (["--landmarks", "l"], "--video needs either --audio-encoder, or --landmarks and --audio-features"),
        (
            ["--landmarks", "l", "--audio-encoder", "e"],
            "--video needs either --audio-encoder, or --landmarks",
        ),
        (
            ["--audio-encoder", "e", "--audio-mode", "hubert"],
            "--audio-encoder gives ave features, and this is --audio-mode hubert",
        ),
    ],
)
def test_video_needs_its_companions(video_source, capsys, options, sentence):
    """A video with neither an audio encoder nor landmarks and features, or with half of both, is a wrong call."""
    with pytest.raises(SystemExit, match="2"):
        main(["avatar", "may", "--video", str(video_source.folder / "video.avi"), *options])
    assert sentence in capsys.readouterr().err


def test_a_wrong_checkpoint_is_told_before_the_face_is_searched(video_source, tmp_path, capsys):
    """A checkpoint that is not there is refused at once."""
    video, checkpoint = video_source.folder / "video.avi", tmp_path / "anna.pth"
    arguments = ["--video", str(video), "--audio-encoder", "e", "--checkpoint", str(checkpoint)]
    assert main(["avatar", "may", *arguments]) == 1
    assert said(capsys).startswith(f"error: {checkpoint}: expected ")


def test_a_plain_video(out, bare_onnx, tmp_path, capsys):
    """A recording and an audio encoder's file are enough: face, landmarks and features are found in it."""
    try:
        find_models()
    except MissingFaceModels as exc:
        pytest.skip(str(exc))
    video, encoder = tmp_path / "talk.mkv", tmp_path / "audio_encoder.pth"
    write_recording(video, [astronaut()] * 30, np.arange(30) / 30, beeps(1.0))
    torch.save(AveEncoder().state_dict(), encoder)
    arguments = ["--video", str(video), "--audio-encoder", str(encoder), "--checkpoint", str(bare_onnx)]
    assert main(["avatar", "collins", *arguments, *folders(out)]) == 0
    folder = out / "avatars" / "collins"
    described = read_avatar(folder)
    assert (described.frame_count, described.fps, described.source) == (25, 25.0, "video talk.mkv")
    bounds = np.load(folder / "bounds.npy")
    np.testing.assert_allclose(bounds, [[178, 105, 271, 198]] * 25, atol=6)
    assert capsys.readouterr().out.splitlines()[1] == (
        f"{folder}: resampled to 25 frames per second by time stamps: 25 frames, 5 pictures left out, 0 repeated"
    )


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
    assert lines[0] == f"exporting {half_width_pth} (width 0.5, ave, fp16)"
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
