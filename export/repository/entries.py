"""Write an avatar's entries into a Triton model repository."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import onnx
from google.protobuf import text_format

from export.errors import BadSource
from export.files import link_or_copy, replacing_file, replacing_folder
from export.network.half import to_half
from export.network.resident import FACES_FILE, refer_to_faces
from export.repository.avatar import (
    CPU_WEIGHTS_FILE,
    FRAME_FILES,
    SPEECH_FILE,
    WEIGHTS_FILE,
    Avatar,
    read_avatar,
)
from export.repository.configs import (
    BACKENDS,
    HALF_FILE,
    LIVE_JPEG,
    ServingOptions,
    ensemble_configs,
    frames_configs,
    jpeg_as_chosen,
    jpeg_configs,
    live_configs,
    live_jpeg_configs,
    speech_configs,
    unet_configs,
)

__all__ = ["write_entries", "write_serving"]

FIXED_SIZE = re.compile(r"(dims: )320(\n\s*dims: )320\n")

KEEP = ".gitkeep"  # an ensemble's version folder is empty, and git keeps no empty folder


def write_entries(
    avatar_folder: Path, model_repository: Path, options: ServingOptions | None = None
) -> list[str]:
    """Write or replace the models ``<name>_frames``, ``<name>_unet`` and ``<name>``, and ``jpeg_encode`` if absent.

    An avatar that can be spoken to also gets ``<name>_speech`` and ``<name>_live``, and ``jpeg_live`` if absent.

    Frame data and weights are hard-linked from the avatar's folder where the file system allows it. The ensemble
    comes last, so that a server never finds one whose parts are missing.

    Returns:
        The names of the models, in the order written.

    Raises:
        BadSource: If ``avatar_folder`` is not a complete avatar.
    """
    avatar = read_avatar(avatar_folder)
    options = options or ServingOptions()
    _write_shared(model_repository / "jpeg_encode", jpeg_configs(options), options)
    frame_files = {name: avatar_folder / name for name in FRAME_FILES}
    weights = _network_files(avatar_folder, options)
    names = [f"{avatar.name}_frames", f"{avatar.name}_unet", avatar.name]
    # A response cache outlives a reload, and knows an answer by model, version and inputs: new pictures, new version.
    version = _next_version(model_repository / names[2], served=(model_repository / names[0] / "1").exists())
    _write_model(model_repository / names[0], frames_configs(avatar, options), {"1": frame_files})
    _write_model(model_repository / names[1], unet_configs(avatar, options), {"1": weights})
    ensemble = ensemble_configs(avatar, options)
    _write_model(model_repository / names[2], ensemble, {version: {}, "1": {KEEP: None}})
    return names + _write_live_entries(avatar, avatar_folder, model_repository, options, version)


def write_serving(
    avatar: Avatar, avatar_folder: Path, model_repository: Path, options: ServingOptions
) -> None:
    """Rewrite how an avatar that has its entries is served, in place: all of their configs.

    They then say another backend or instance count. The network's ONNX file is rewritten where the faces move into it,
    or out of it.

    Raises:
        BadSource: If the faces are too large for a network, or the config of a shared encoder is none.
        VerificationFailed: If it is not the same network in float16.
    """
    name = avatar.name
    written = {
        f"{name}_frames": frames_configs(avatar, options),
        f"{name}_unet": unet_configs(avatar, options),
        name: ensemble_configs(avatar, options),
    }
    if avatar.hears:
        written[f"{name}_speech"] = speech_configs(avatar, options)
        written[f"{name}_live"] = live_configs(avatar, options)
    version = model_repository / f"{name}_unet" / "1"
    moves = (version / FACES_FILE).exists() != options.frames_in_network
    if moves or options.network_file == HALF_FILE:
        for file, content in _network_files(avatar_folder, options).items():
            with replacing_file(version / file) as path:
                _put(content, path)
    if not options.frames_in_network:
        (version / FACES_FILE).unlink(missing_ok=True)
    if options.network_file != HALF_FILE:
        (version / HALF_FILE).unlink(missing_ok=True)
    for model_name, configs in written.items():
        for file, text in configs.items():
            with replacing_file(model_repository / model_name / file) as path:
                path.write_text(text, encoding="utf-8")
    _write_shared(model_repository / "jpeg_encode", jpeg_configs(options), options)
    if avatar.hears:
        _write_shared(model_repository / LIVE_JPEG, live_jpeg_configs(options), options)


def _network_files(avatar_folder: Path, options: ServingOptions) -> dict[str, Path | bytes]:
    """Return what the network's version folder holds for ONNX Runtime: its files, and the faces if they refer to them.

    Raises:
        BadSource: If the faces are too large for a network.
        VerificationFailed: If it is not the same network in float16.
    """
    file, weights, faces = (
        BACKENDS["onnxruntime"],
        avatar_folder / CPU_WEIGHTS_FILE,
        avatar_folder / FACES_FILE,
    )
    models = {}
    if options.network_file == HALF_FILE:
        models[HALF_FILE] = to_half(onnx.load(avatar_folder / WEIGHTS_FILE))
    if not options.frames_in_network:
        return {file: weights, **{name: model.SerializeToString() for name, model in models.items()}}
    models[file] = onnx.load(weights)
    written = {name: refer_to_faces(model, faces).SerializeToString() for name, model in models.items()}
    return {FACES_FILE: faces, **written}


def _write_live_entries(
    avatar: Avatar, avatar_folder: Path, model_repository: Path, options: ServingOptions, version: str
) -> list[str]:
    """Write what live speech needs, or remove what an earlier import of the name left of it.

    ``<name>_live`` has the ensemble's version: by it the bridge knows that silent pictures it remembers are old.
    """
    speech, live = f"{avatar.name}_speech", f"{avatar.name}_live"
    if not avatar.hears:
        for name in (live, speech):
            shutil.rmtree(model_repository / name, ignore_errors=True)
        return []
    _write_shared(model_repository / LIVE_JPEG, live_jpeg_configs(options), options)
    weights = {BACKENDS["onnxruntime"]: avatar_folder / SPEECH_FILE}
    _write_model(model_repository / speech, speech_configs(avatar, options), {"1": weights})
    _write_model(model_repository / live, live_configs(avatar, options), {version: {}, "1": {KEEP: None}})
    return [speech, live]


def _write_shared(folder: Path, configs: Mapping[str, str], options: ServingOptions) -> None:
    """Write a model that all avatars share, unless it is there: it may have been edited.

    One that takes pictures of a single size, as earlier imports wrote it, is made to take any; and where instances or a
    device were chosen, it gets those.
    """
    if not folder.exists():
        _write_model(folder, configs, {"1": {KEEP: None}})
    for path in [folder / "config.pbtxt", *folder.glob("configs/*.pbtxt")]:
        text = path.read_text(encoding="utf-8")
        new_text = FIXED_SIZE.sub(r"\1-1\2-1\n", text)
        if (options.jpeg_instances, options.jpeg_device) != (None, None):
            new_text = _as_chosen(path, new_text, options)
        if new_text != text:
            with replacing_file(path) as new:
                new.write_text(new_text, encoding="utf-8")


def _as_chosen(path: Path, text: str, options: ServingOptions) -> str:
    try:
        return jpeg_as_chosen(text, options, alone=path.stem == "latency")
    except text_format.ParseError as exc:
        raise BadSource(path, "a Triton config, to change its instances or device", f"none: {exc}") from exc


def _next_version(ensemble: Path, served: bool) -> str:
    """Return the version folder of an ensemble to write: 1, or, where one was served, the one after its last."""
    versions = [int(folder.name) for folder in ensemble.glob("*") if folder.name.isdecimal()]
    return str(max(versions) + 1) if versions and served else "1"


def _write_model(
    folder: Path, configs: Mapping[str, str], versions: Mapping[str, Mapping[str, Path | bytes | None]]
) -> None:
    """Write one model: its configs by relative path, and what each of its version folders holds."""
    with replacing_folder(folder, workplace=_workplace(folder.parent)) as new:
        for name, text in configs.items():
            path = new / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for version, files in versions.items():
            (new / version).mkdir()
            for name, content in files.items():
                _put(content, new / version / name)


def _put(content: Path | bytes | None, target: Path) -> None:
    """Write a file: a link to another, or bytes, or nothing."""
    if isinstance(content, Path):
        link_or_copy(content, target)
    else:
        target.write_bytes(content or b"")


def _workplace(model_repository: Path) -> Path:
    """Return where to write models before they move in: outside, as a starting Triton takes any folder for a model."""
    outside = model_repository.resolve().parent
    model_repository.mkdir(parents=True, exist_ok=True)
    same_file_system = outside.stat().st_dev == model_repository.stat().st_dev
    return outside if same_file_system and os.access(outside, os.W_OK) else model_repository
