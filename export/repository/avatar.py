"""Write an avatar folder: everything of one person that serving needs, complete or not at all."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto
from tqdm import tqdm

from export.bounds import AVATAR_BYTES, DESCRIPTION_BYTES, FRAMES
from export.contract import GEOMETRIES, RESIZINGS, UNET_328, Geometry
from export.errors import BadModel, BadName, BadSource, ExportError
from export.files import link_or_copy, new_array, replacing_file, replacing_folder
from export.footage.agreement import RATES
from export.footage.clip import Footage, Remark
from export.footage.crops import crop_remarks
from export.json_file import read_object, shown
from export.network.kinds import Kind
from export.network.rewrite import rewrite_for_cpu
from export.network.rewrite.check import check_same
from export.repository.contact_sheet import write_contact_sheet
from speech.clip_sound import cut_into_frames
from speech.contract import AUDIO_WINDOW, EDGE_PADDINGS, VECTOR_SHAPES

__all__ = [
    "CPU_WEIGHTS_FILE",
    "FRAME_FILES",
    "SPEECH_FILE",
    "WEIGHTS_FILE",
    "Avatar",
    "check_name",
    "read_avatar",
    "write_avatar",
]

WEIGHTS_FILE = "unet.onnx"
CPU_WEIGHTS_FILE = "unet_cpu.onnx"
SPEECH_FILE = "speech.onnx"
SHARED_FOLDER = ".speech"
"""Where, beside the avatars, the speech models of all of them lie: one file for each audio encoder."""
FRAME_FILES = (
    *("faces.npy", "audio_features.npy", "sound.npy", "bounds.npy"),
    *("full_frames.bin", "full_frame_offsets.npy"),
)
MANIFEST = "avatar.json"
AUDIO_WINDOWS = (8, 16)

FIELD_TYPES = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "tuple[int, int]": (tuple,),
}
"""What values a field may have, by its annotation; JSON may bring any."""


@dataclass(frozen=True, kw_only=True)
class Avatar:
    """What ``avatar.json`` says.

    Attributes:
        name: The avatar's name, and its ensemble's.
        fps: Frames per second of the clip.
        frame_count: Frame ids are 0 to ``frame_count - 1``.
        audio_mode: ``ave``, ``hubert`` or ``wenet``.
        edge_padding: ``zeros`` or ``repeat``: what stands in for features past either end.
        source: What it was imported from: kind and name.
        hears: Whether it has an audio encoder, and so can be spoken to.
        network: A key of ``GEOMETRIES``: which of the family's networks paints it.
        audio_window: How many feature vectors that network hears at once.
        resizing: One of ``RESIZINGS``: how its crops were brought to the network's size.
        mask_rows: Rows of the face that the network paints, half-open.
        mask_columns: Columns of it.
    """

    name: str
    fps: float
    frame_count: int
    audio_mode: str
    edge_padding: str
    source: str
    hears: bool = False
    network: str = UNET_328.name
    audio_window: int = AUDIO_WINDOW
    resizing: str = UNET_328.resizing
    mask_rows: tuple[int, int] = UNET_328.mask_rows
    mask_columns: tuple[int, int] = UNET_328.mask_columns

    def __post_init__(self) -> None:
        for field in fields(self):
            value, kinds = getattr(self, field.name), FIELD_TYPES[str(field.type)]
            assert type(value) in kinds, f"{field.name} is a {type(value).__name__}"
        check_name(self.name)
        assert RATES[0] <= self.fps <= RATES[1], f"fps is {self.fps}"  # refuses NaN, too
        assert 1 <= self.frame_count <= FRAMES, "frame_count"
        assert self.audio_mode in VECTOR_SHAPES, self.audio_mode
        assert self.edge_padding in EDGE_PADDINGS, self.edge_padding
        assert self.network in GEOMETRIES, self.network
        assert self.audio_window in AUDIO_WINDOWS, "audio_window"
        assert self.resizing in RESIZINGS, self.resizing
        for name, ends in (("mask_rows", self.mask_rows), ("mask_columns", self.mask_columns)):
            assert [type(end) for end in ends] == [int, int], name
            assert 0 <= ends[0] < ends[1] <= self.geometry.face_size, name

    @property
    def geometry(self) -> Geometry:
        """How its network sees a face."""
        return replace(GEOMETRIES[self.network], resizing=self.resizing)

    @property
    def kind(self) -> Kind:
        """Which network of the family paints it."""
        return Kind(self.geometry, self.audio_mode, self.audio_window)


def check_name(name: str) -> None:
    """Check that a name can be a folder, a Triton model and a name on the wire, and is not another model's.

    Raises:
        BadName: If it cannot.
    """
    if not re.fullmatch(
        r"(?!jpeg_(encode|live)$|.*_(frames|unet|speech|live)$)[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name
    ):
        raise BadName(name)


def write_avatar(
    folder: Path, avatar: Avatar, footage: Footage, model: ModelProto, speech_model: ModelProto | None = None
) -> tuple[Remark, ...]:
    """Write ``folder`` from a clip and its weights, replacing an older one when complete.

    Files: ``avatar.json``; ``faces.npy`` (N, S, S, 3) uint8 BGR; ``audio_features.npy`` (T, D) float32;
    ``sound.npy`` (N, 16,000 / fps) int16, what sounds while each frame is shown; ``bounds.npy`` (N, 4) int32;
    ``full_frames.bin``, the full pictures as JPEGs one after another, frame i at bytes ``full_frame_offsets.npy``[i]
    to [i+1], so that any of them is one read away; ``unet.onnx``, which TensorRT engines are built of;
    ``unet_cpu.onnx``, the same function rewritten for ONNX Runtime on a CPU; with an audio encoder ``speech.onnx``,
    stored once for all avatars that have the same; ``contact_sheet.jpg``, to see whether the crops are right.

    Returns:
        What is to be said about the clip: what its source had to say, and whether crops leave the picture.

    Raises:
        BadSource: If a frame of the clip cannot be read, or the clip is too large.
        BadModel: If the network cannot be rewritten.
        VerificationFailed: If the rewritten network is not the same function.
    """
    assert avatar.hears == (speech_model is not None)
    with replacing_folder(folder) as new:
        bounds = _write_frames(new, footage, avatar)
        remarks = (*footage.remarks, *crop_remarks(bounds))
        write_contact_sheet(new, remarks)
        np.save(new / "audio_features.npy", footage.audio_features)
        np.save(new / "sound.npy", cut_into_frames(footage.sound, footage.frame_count, footage.fps))
        _write_networks(new, model)
        if speech_model is not None:
            link_or_copy(_shared_speech_model(folder.parent / SHARED_FOLDER, speech_model), new / SPEECH_FILE)
        (new / MANIFEST).write_text(json.dumps(asdict(avatar), indent=2) + "\n", encoding="utf-8")
    return remarks


def read_avatar(folder: Path) -> Avatar:
    """Read ``avatar.json`` of an avatar folder.

    Raises:
        BadSource: If the folder is not an avatar's.
    """
    path = folder / MANIFEST
    expected = "an avatar's description"
    try:
        content = read_object(path, DESCRIPTION_BYTES)
    except BadSource as exc:
        raise BadSource(
            path, expected, f"none that is whole (expected {exc.expected}, got {exc.got})"
        ) from exc
    try:
        return Avatar(**{**content, **{key: tuple(content[key]) for key in ("mask_rows", "mask_columns")}})
    except (TypeError, KeyError, AssertionError, ValueError, BadName) as exc:
        raise BadSource(path, expected, f"none that is whole ({type(exc).__name__}: {shown(exc)})") from exc


def _shared_speech_model(folder: Path, model: ModelProto) -> Path:
    """Return the one file of a speech model, written if no avatar has it yet; those that none has any more go."""
    content = model.SerializeToString(deterministic=True)
    path = folder / f"{hashlib.sha256(content).hexdigest()[:16]}.onnx"
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.glob("*.onnx"):
        if other != path and other.stat().st_nlink == 1:
            other.unlink(missing_ok=True)
    if not path.is_file():
        with replacing_file(path) as new:
            new.write_bytes(content)
    return path


def _write_networks(folder: Path, model: ModelProto) -> None:
    onnx.save(model, folder / WEIGHTS_FILE)
    try:
        rewritten = rewrite_for_cpu(model)
        if rewritten is not model:
            check_same(model, rewritten)
    except ExportError:
        raise
    except Exception as exc:  # a graph that others made may be anything
        expected = "a network that can be rewritten for CPUs"
        raise BadModel(Path(WEIGHTS_FILE), expected, f"one that cannot ({type(exc).__name__})") from exc
    onnx.save(rewritten, folder / CPU_WEIGHTS_FILE)


def _write_frames(folder: Path, footage: Footage, avatar: Avatar) -> NDArray[np.int32]:
    """Write a clip's frames; return (N, 4) int32, the bounds of their crops."""
    count = footage.frame_count
    shape = (count, avatar.geometry.face_size, avatar.geometry.face_size, 3)
    faces = new_array(folder / "faces.npy", np.uint8, shape)
    bounds = np.empty((count, 4), np.int32)
    offsets = np.zeros(count + 1, np.int64)
    most = AVATAR_BYTES - faces.nbytes
    with (folder / "full_frames.bin").open("wb") as full_frames:
        for index, frame in enumerate(
            tqdm(footage.frames, f"importing {avatar.name}", count, unit="frame", disable=None)
        ):
            faces[index] = frame.face
            bounds[index] = frame.bounds
            offsets[index + 1] = offsets[index] + full_frames.write(frame.full_jpeg)
            if offsets[index + 1] > most:
                raise BadSource(Path(footage.name), f"a clip of up to {AVATAR_BYTES >> 30} GiB", "more")
    faces.flush()
    np.save(folder / "bounds.npy", bounds)
    np.save(folder / "full_frame_offsets.npy", offsets)
    return bounds
