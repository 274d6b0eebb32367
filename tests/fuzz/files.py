"""Parsers of files that people bring: datasets, packages, avatars, sounds, videos, weights."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import wave
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from embedded.control import read_secret
from export.errors import ExportError
from export.footage.coordinates import read_coordinates
from export.footage.feature_files import modes_of, read_audio_features
from export.footage.landmarks import crop_bounds, read_landmarks
from export.footage.package import _read_rectangles, open_package
from export.footage.package_video import open_video as open_package_video
from export.footage.pictures import read_picture
from export.footage.video import open_video
from export.network.adopted import adopt, kinds_of_model
from export.network.audio_encoder import load_encoder
from export.network.checkpoint import kinds_of_checkpoint, load_checkpoint
from export.repository.avatar import read_avatar
from lipsync_client.errors import LipsyncError
from lipsync_client.sound_file import SoundFile
from speech.errors import SpeechError
from speech.features import open_encoder
from speech.wav import encode_wav, read_wav
from tests.fuzz.parser import SLOW, Parser, on_file

CASES = Path(__file__).parents[1] / "cases"
FRAMES = 3


def avatar_json(path: Path) -> None:
    """An avatar that is taken has a network that can be named."""
    avatar = read_avatar(path.parent)
    assert avatar.kind.geometry.face_size in (320, 160)
    json.dumps(avatar.fps)


def package_info(path: Path) -> None:
    """What a package says of its videos is files within it; there are none here."""
    open_package(path.parent, "ave")


def rectangles(path: Path) -> None:
    """Rectangles are not empty."""
    found = _read_rectangles(path, FRAMES)
    assert found.shape == (FRAMES, 4)
    assert (found[:, :2] < found[:, 2:]).all()


def landmarks(path: Path) -> None:
    """The square that landmarks cut out lies in the picture."""
    bounds = crop_bounds(path, read_landmarks(path), 1280, 720)
    assert (bounds >= 0).all()
    assert (bounds[2:] - bounds[:2] >= 32).all()


def features(path: Path) -> None:
    """Vectors are finite and of their length."""
    modes_of(path)
    found = read_audio_features(path, "ave")
    assert found.shape[1] == 512
    assert np.isfinite(found).all()


def coordinates(path: Path) -> None:
    """Four numbers a frame."""
    assert read_coordinates(path).shape[1] == 4


def wav(path: Path) -> None:
    """Samples are finite and about as loud as can be."""
    assert abs(read_wav(path)).max(initial=0) < 2


def sound(path: Path) -> None:
    """Any sound has a rate that a video can have."""
    file = SoundFile(str(path))
    try:
        assert file.track_rate in (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
        for piece in file.pieces():
            assert len(piece.pcm) % 2 == 0
    finally:
        file.close()


def video(path: Path) -> None:
    """A video that opens has pictures of some size and rate."""
    found = open_video(path)
    assert found.width > 0 < found.height
    assert 1 <= found.fps <= 240


def package_video(path: Path) -> None:
    """The same, through OpenCV."""
    assert open_package_video(path)


def picture(path: Path) -> None:
    """A picture has three colours."""
    assert read_picture(path).shape[2] == 3


def checkpoint(path: Path) -> None:
    """Weights are a network's of the family, or refused."""
    kinds_of_checkpoint(path)
    load_checkpoint(path)


def encoder_checkpoint(path: Path) -> None:
    """The same for an audio encoder's."""
    load_encoder(path)


def network(path: Path) -> None:
    """An ONNX file is a network of the family, or refused."""
    kinds_of_model(path)
    adopt(path, None)


def encoder(path: Path) -> None:
    """The same for an audio encoder's."""
    open_encoder(path)


def secret(path: Path) -> None:
    """A secret can be an argument and a header."""
    assert len(read_secret(path)) >= 16


def _avatar() -> list[bytes]:
    avatar = {"name": "demo", "fps": 25.0, "frame_count": 555, "audio_mode": "ave", "edge_padding": "zeros"}
    avatar |= {
        "source": "dataset demo",
        "hears": True,
        "network": "U-Net 328",
        "audio_window": 16,
        "resizing": "cubic",
    }
    return [json.dumps(avatar | {"mask_rows": [5, 160], "mask_columns": [5, 155]}).encode()]


def _package() -> list[bytes]:
    def entry(name: str) -> dict[str, object]:
        return {"video_file": f"{name}.mp4", "frame_count": 3, "fps": 25.0}

    videos = {"full_body": entry("full_body_video"), "rois_320": entry("rois_320_video")}
    return [json.dumps({"version": "2.0", "videos": videos}).encode()]


def _npy(dtype: str) -> bytes:
    content = io.BytesIO()
    np.save(content, np.arange(2 * 512).reshape(2, 512).astype(dtype))
    return content.getvalue()


def _wavs() -> list[bytes]:
    sounds = [encode_wav(np.arange(400, dtype="<i2").tobytes())]
    for width, channels, rate in ((1, 2, 8000), (3, 1, 48000), (4, 2, 44100)):
        content = io.BytesIO()
        with wave.open(content, "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(width)
            file.setframerate(rate)
            file.writeframes(bytes(range(240)) * 2)
        sounds.append(content.getvalue())
    return sounds


def _pictures() -> list[bytes]:
    shades = np.arange(24 * 24 * 3, dtype=np.uint8).reshape(24, 24, 3)
    return [cv2.imencode(suffix, shades)[1].tobytes() for suffix in (".png", ".jpg")]


def _films() -> list[bytes]:
    return [path.read_bytes() for path in sorted(CASES.glob("*.m*")) if path.stat().st_size < 60_000]


def _weights(first: str, shape: tuple[int, ...], **others: object) -> list[bytes]:
    seeds = []
    for content in ({first: torch.zeros(shape)}, {"state_dict": {first: torch.ones(shape)}, **others}):
        file = io.BytesIO()
        torch.save(content, file)
        seeds.append(file.getvalue())
    old = io.BytesIO()
    torch.save({first: torch.zeros(shape)}, old, _use_new_zipfile_serialization=False)
    return [*seeds, old.getvalue()]


def _network() -> list[bytes]:
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 6, 160, 160]),
        helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["batch", 16, 32, 32]),
    ]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3, 160, 160])
    bounds = [
        helper.make_tensor(name, TensorProto.INT64, [1], [at]) for name, at in (("a", 0), ("b", 3), ("c", 1))
    ]
    nodes = [helper.make_node("Slice", ["input", "a", "b", "c"], ["output"])]
    graph = helper.make_graph(nodes, "network", inputs, [output], bounds)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return [model.SerializeToString()]


def _encoder() -> list[bytes]:
    mel = helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["batch", 1, 80, 16])
    vectors = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 512])
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 1280])
    ends = [
        helper.make_tensor(name, TensorProto.INT64, [1], [at])
        for name, at in (("a", 0), ("b", 512), ("c", 1))
    ]
    nodes = [
        helper.make_node("Reshape", ["mel", "shape"], ["flat"]),
        helper.make_node("Slice", ["flat", "a", "b", "c"], ["features"]),
    ]
    graph = helper.make_graph(nodes, "encoder", [mel], [vectors], [shape, *ends])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return [model.SerializeToString()]


def _coordinates() -> list[bytes]:
    squares = [(10, 20, 178, 188), (11, 21, 179, 189)]
    numbers = [tuple(map(np.int64, square)) for square in squares]
    return [pickle.dumps(squares, 4), pickle.dumps(numbers, 2), pickle.dumps(np.array(squares), 4)]


def _landmarks() -> list[bytes]:
    points = [(100 + 5 * index, 200.5 + index) for index in range(110)]
    return ["\n".join(f"{x} {y}" for x, y in points).encode()]


def _rectangles() -> list[bytes]:
    return [json.dumps({str(index): {"rect": [10, 20, 178, 188]} for index in range(FRAMES)}).encode()]


ENTRANCE = "inc.inconv.0.conv.6.weight"
ALL = (ExportError, SpeechError)
CANDIDATES = (
    Parser(name="avatar_json", parse=on_file(avatar_json, "avatar.json"), refuses=ALL, seeds=_avatar),
    Parser(
        name="package_info", parse=on_file(package_info, "package_info.json"), refuses=ALL, seeds=_package
    ),
    Parser(
        name="rectangles", parse=on_file(rectangles, "crop_rectangles.json"), refuses=ALL, seeds=_rectangles
    ),
    Parser(name="landmarks", parse=on_file(landmarks, "0.lms"), refuses=ALL, seeds=_landmarks, runs=200_000),
    Parser(
        name="features",
        parse=on_file(features, "aud_ave.npy"),
        refuses=ALL,
        seeds=lambda: [_npy("<f4"), _npy("<f2"), _npy(">f8")],
        runs=200_000,
    ),
    Parser(name="coordinates", parse=on_file(coordinates, "coords.pkl"), refuses=ALL, seeds=_coordinates),
    Parser(name="wav", parse=on_file(wav, "aud.wav"), refuses=ALL, seeds=_wavs, runs=200_000),
    Parser(
        name="secret",
        parse=on_file(secret, "secret"),
        refuses=(ValueError,),
        seeds=lambda: [b"a_-B" * 11 + b"\n"],
    ),
    Parser(
        name="sound", parse=on_file(sound, "sound"), refuses=(LipsyncError, OSError), seeds=_wavs, runs=SLOW
    ),
    Parser(name="picture", parse=on_file(picture, "0.png"), refuses=ALL, seeds=_pictures, runs=SLOW),
    Parser(name="video", parse=on_file(video, "video.mp4"), refuses=ALL, seeds=_films, runs=SLOW),
    Parser(
        name="package_video",
        parse=on_file(package_video, "full_body_video.mp4"),
        refuses=ALL,
        seeds=_films,
        runs=SLOW,
    ),
    Parser(
        name="checkpoint",
        parse=on_file(checkpoint, "1.pth"),
        refuses=ALL,
        seeds=lambda: _weights(ENTRANCE, (16, 6, 1, 1), epoch=3),
        runs=SLOW,
    ),
    Parser(
        name="encoder_checkpoint",
        parse=on_file(encoder_checkpoint, "audio_encoder.pth"),
        refuses=ALL,
        seeds=lambda: _weights("audio_encoder.0.conv_block.0.weight", (32, 1, 3, 3)),
        runs=SLOW,
    ),
    Parser(name="network", parse=on_file(network, "unet.onnx"), refuses=ALL, seeds=_network, runs=SLOW),
    Parser(
        name="encoder", parse=on_file(encoder, "audio_encoder.onnx"), refuses=ALL, seeds=_encoder, runs=SLOW
    ),
)
FILES = tuple(dataclasses.replace(parser, encoding="backslashreplace") for parser in CANDIDATES)
