"""export/avatar_cli.py"""

import signal

import cv2
import numpy as np
import onnx
import pytest
import torch

from demo.weights import AUDIO_ENCODER_PATH
from export.__main__ import main
from export.contract import UNET_160, UNET_328
from export.errors import MissingFaceModels
from export.footage import clip
from export.footage.detect import find_models
from export.network.audio_encoder import AveEncoder
from export.repository.avatar import read_avatar
from speech.clip_sound import join_frames
from speech.wav import write_wav
from tests.export.commands import folders, render, said
from tests.export.recordings import astronaut, beeps, write_recording
from tests.export.sources import (
    FRAMES,
    edit_json,
    smooth_picture,
    speech_features,
    tree,
    write_landmarks,
    write_livetalking,
    write_video,
)


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
        f"{folder}: {FRAMES} frames at 25 fps, ave features, U-Net 328\n"
        f"{'' if source.sound.size else silent}"
        f"{folder}: plays its clip, and cannot be spoken to: that needs --audio-encoder, or an encoder beside the "
        "checkpoint\n"
        f"{out / 'models'}: may_frames, may_unet, may\n"
        f"{folder / 'contact_sheet.jpg'}: are the crops right?\n"
    )
    assert cv2.imread(str(folder / "contact_sheet.jpg")).shape[1] > 4 * UNET_328.face_size


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


def test_a_network_of_other_features_cannot_be_spoken_to(dataset, half_width_pth, out, capsys):
    """An encoder of ave features is refused for a hubert network."""
    words = ["--audio-mode", "hubert", "--audio-encoder", str(AUDIO_ENCODER_PATH)]
    with pytest.raises(SystemExit, match="2"):
        main(
            ["avatar", "may", *dataset.arguments, *words, "--checkpoint", str(half_width_pth), *folders(out)]
        )
    assert "--audio-encoder gives ave features, and this network hears hubert" in capsys.readouterr().err


def test_features_of_two_modes(dataset, half_width_pth, out, capsys):
    """Where the weights fit ave and hubert alike, the clip's features decide; where it has both, the user is asked."""
    hubert = np.random.default_rng(7).normal(size=(FRAMES, 2, 1024)).astype(np.float32)
    np.save(dataset.folder / "aud_hu.npy", hubert)
    arguments = ["avatar", "may", *dataset.arguments, "--checkpoint", str(half_width_pth), *folders(out)]
    assert main(arguments) == 1
    assert said(capsys) == (
        f"error: {half_width_pth}: expected --audio-mode ave or hubert, as the weights fit both and aud_ave.npy and "
        "aud_hu.npy are there, got none"
    )
    (dataset.folder / "aud_ave.npy").unlink()
    assert main(arguments) == 0
    assert read_avatar(out / "avatars" / "may").audio_mode == "hubert"


def small_onnx(served, mode, path):
    """Write a half-width U-Net 160 of a mode as ONNX."""
    onnx.save(served(mode, 0.5, UNET_160, 8), path)
    return path


@pytest.mark.parametrize(
    ("mode", "file", "shape", "fps"),
    [("hubert", "aud_hu.npy", (2, 1024), 25.0), ("wenet", "aud_wenet.npy", (32, 256), 20.0)],
)
def test_a_dataset_of_the_smaller_network(dataset, served, out, tmp_path, capsys, mode, file, shape, fps):
    """Of a U-Net 160 size, mode and window are read from its weights, and wenet clips have 20 pictures a second."""
    features = np.random.default_rng(7).normal(size=(FRAMES, *shape)).astype(np.float32)
    np.save(dataset.folder / file, features)
    sound = np.arange(int(FRAMES * 16_000 / fps), dtype=np.int16)
    write_wav(dataset.folder / "aud.wav", sound)
    weights = small_onnx(served, mode, tmp_path / "unet.onnx")
    assert main(["avatar", "may", *dataset.arguments, "--checkpoint", str(weights), *folders(out)]) == 0
    folder = out / "avatars" / "may"
    described = read_avatar(folder)
    assert (described.network, described.audio_mode, described.audio_window) == ("U-Net 160", mode, 8)
    assert (described.fps, described.resizing) == (fps, "area")
    assert (described.mask_rows, described.mask_columns) == ((5, 150), (5, 155))
    areas = [
        cv2.resize(picture[y1:y2, x1:x2], (168, 168), interpolation=cv2.INTER_AREA)[4:164, 4:164]
        for picture, (x1, y1, x2, y2) in zip(dataset.pictures, dataset.squares, strict=True)
    ]
    np.testing.assert_array_equal(np.load(folder / "faces.npy"), areas)
    np.testing.assert_array_equal(join_frames(np.load(folder / "sound.npy"), fps), sound)
    assert f"{FRAMES} frames at {fps:g} fps, {mode} features, U-Net 160\n" in capsys.readouterr().out
    assert (out / "models" / "jpeg_encode").is_dir()


def test_an_avatar_of_livetalking(network, tmp_path, out, capsys, monkeypatch):
    """An avatar folder brings its weights, whose network and mode are read from them; what it lacks is said."""
    monkeypatch.setattr("export.network.verify.MAX_BATCH_SIZE", 2)  # 16 is for test_verify.py
    source = write_livetalking(tmp_path / "ultralight_avatar1")
    torch.save({"model": network("wenet", 0.5, UNET_160, 8).state_dict()}, source / "ultralight.pth")
    assert main(["avatar", "anna", "--livetalking", str(source), *folders(out)]) == 0
    described = read_avatar(out / "avatars" / "anna")
    assert (described.network, described.audio_mode, described.fps) == ("U-Net 160", "wenet", 20.0)
    assert described.source == "LiveTalking ultralight_avatar1"
    said_lines = capsys.readouterr().out
    assert f"exporting {source / 'ultralight.pth'} (U-Net 160, width 0.5, wenet, fp32)" in said_lines
    assert "comes without speech: its clip is painted with windows of zeros" in said_lines


def test_the_older_resizing(dataset, served, out, tmp_path):
    """Networks that were trained on crops resized otherwise get them so."""
    np.save(dataset.folder / "aud_hu.npy", np.zeros((FRAMES, 2048), np.float32))
    weights = ["--checkpoint", str(small_onnx(served, "hubert", tmp_path / "unet.onnx"))]
    assert main(["avatar", "may", *dataset.arguments, *weights, *folders(out), "--resizing", "linear"]) == 0
    folder = out / "avatars" / "may"
    x1, y1, x2, y2 = dataset.squares[0]
    crop = cv2.resize(dataset.pictures[0][y1:y2, x1:x2], (168, 168), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(np.load(folder / "faces.npy")[0], crop[4:164, 4:164])
    assert read_avatar(folder).resizing == "linear"


@pytest.mark.parametrize(("fps", "seconds"), [("1", 6.0), ("12.5", 0.48), ("60", 0.1)])
def test_any_rate(dataset, import_avatar, out, fps, seconds):
    """A dataset is served at the rate that is named, with its whole sound."""
    sound = np.arange(1, round(seconds * 16_000) + 1).astype(np.int16)
    write_wav(dataset.folder / "aud.wav", sound)
    assert import_avatar(dataset, "--fps", fps) == 0
    folder = out / "avatars" / "may"
    assert read_avatar(folder).fps == float(fps)
    np.testing.assert_array_equal(join_frames(np.load(folder / "sound.npy"), float(fps)), sound)


def test_a_rate_that_does_not_fit(dataset, import_avatar, out, capsys):
    """Pictures that are not as long as their sound are refused with all three lengths and the rate that fits."""
    write_wav(dataset.folder / "aud.wav", np.ones(16_000, np.int16))
    assert import_avatar(dataset) == 1
    assert said(capsys) == (
        f"error: {dataset.folder}: expected pictures, feature vectors (one a picture) and sound of one length, got "
        f"{FRAMES} pictures (0.24 s at 25 a second), {FRAMES} feature vectors and 1.00 s of sound "
        "(for 6 pictures a second: --fps 6)"
    )
    assert not out.exists()


def test_package_with_its_own_checkpoint(package, half_width_pth, out, picture, capsys, monkeypatch):
    """A package's own .pth is exported, verified and served; the served file renders what PyTorch does."""
    monkeypatch.setattr("export.network.verify.MAX_BATCH_SIZE", 2)  # 16 is for test_verify.py
    checkpoint = package.folder / "checkpoint" / "best_trainloss.pth"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(half_width_pth.read_bytes())
    assert main(["avatar", "may", *package.arguments, *folders(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"exporting {checkpoint} (U-Net 328, width 0.5, ave, fp32)"
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
    return (
        path,
        "expected a video that is MP4, MOV, AVI, MKV, WebM, FLV or TS, got 160 bytes of something else",
    )


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
        (["--audio-encoder", "e"], "--video needs --checkpoint, as a video brings no weights"),
        (
            ["--audio-encoder", "e", "--checkpoint", "c", "--fps", "30"],
            "--fps is for datasets and packages: a video says its rate itself",
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


@pytest.mark.parametrize("kind", ["dataset", "package", "video_source"])
def test_crops_that_leave_the_picture_are_told(request, import_avatar, out, capsys, kind):
    """Of every source it is said in how many frames the crop reaches past the picture's edge, and how far."""
    source = request.getfixturevalue(kind)
    if kind == "package":
        rectangles = source.folder / "cache" / "crop_rectangles.json"
        edit_json(rectangles, "4", "rect", value=[60, 90, 220, 250])
        edit_json(rectangles, "5", "rect", value=[-30, 10, 130, 170])
    else:
        write_landmarks(source.folder / "landmarks" / "4.lms", 60, 220, 90)  # 160 high, of 224
        write_landmarks(source.folder / "landmarks" / "5.lms", -30, 130, 10)
    assert import_avatar(source) == 0
    folder = out / "avatars" / "may"
    np.testing.assert_array_equal(np.load(folder / "bounds.npy")[4:], [[60, 90, 220, 224], [0, 10, 130, 170]])
    assert capsys.readouterr().out.splitlines()[1] == (
        f"{folder}: the crop leaves the picture in 2 of 6 frames (4-5), by up to 30 pixels, and is cut off there: "
        "the face in it is stretched"
    )
    sheet = cv2.imread(str(folder / "contact_sheet.jpg"))
    rows_and_heading = 3 * 246 + 12 + 28  # a row more than for 6 frames of which there is nothing to say
    assert sheet.shape[0] == rows_and_heading


def test_a_package_below_a_folder(package, bare_onnx, out):
    """With --below a copy of the package is read, and only such an avatar of the same package is replaced."""
    below = ["--below", str(package.folder.parent), "--no-replace"]
    arguments = [*package.arguments, *folders(out), "--checkpoint", str(bare_onnx)]
    assert main(["avatar", "may", *arguments, *below]) == 0
    assert read_avatar(out / "avatars" / "may").source == f"client's package {package.folder.name}"
    assert main(["avatar", "may", *arguments, *below]) == 0
    assert [path.name for path in (out / "avatars").iterdir()] == ["may"]


def test_a_name_that_is_not_to_be_replaced(package, bare_onnx, out, capsys):
    """With --no-replace an avatar that a user made stays; without it a user replaces what he names."""
    arguments = [*package.arguments, *folders(out), "--checkpoint", str(bare_onnx)]
    assert main(["avatar", "may", *arguments]) == 0
    before = tree(out)
    capsys.readouterr()
    assert main(["avatar", "may", *arguments, "--below", str(package.folder.parent), "--no-replace"]) == 1
    got = f"got one of package {package.folder.name}"
    assert said(capsys).endswith(f"expected a name that is free, or this package's already, {got}")
    assert tree(out) == before
    assert main(["avatar", "may", *arguments]) == 0


def test_what_lies_below(package, dataset, out, capsys):
    """--below is for a package that lies below that folder."""
    for arguments in (package.arguments, dataset.arguments):
        with pytest.raises(SystemExit):
            main(["avatar", "may", *arguments, *folders(out), "--below", str(package.folder)[:-1]])
        assert "--below is for a --package that lies below that folder" in capsys.readouterr().err


def test_links_out_of_a_package(package, bare_onnx, out, capsys):
    """A package's sound that is a link to another file is not read."""
    sound = package.folder / "aud.wav"
    sound.rename(package.folder.parent / "secret.wav")
    sound.symlink_to("../secret.wav")
    assert main(["avatar", "may", *package.arguments, *folders(out), "--checkpoint", str(bare_onnx)]) == 1
    assert said(capsys) == (
        f"error: {package.folder}: expected links within the package, got 'aud.wav', which leads out of it"
    )
    assert not out.exists()


def test_no_memory_left(package, out, capsys, monkeypatch):
    """An import that runs out of the memory it may ask for says so."""
    monkeypatch.setattr("export.avatar_cli.open_package", _out_of_memory)
    monkeypatch.setattr("export.avatar_cli.find_kinds", _out_of_memory)
    assert main(["avatar", "may", *package.arguments, *folders(out), "--checkpoint", "x"]) == 1
    assert said(capsys) == "error: expected an import that fits into memory, got none left"


def _out_of_memory(*_: object) -> None:
    raise MemoryError
