"""export/repository/avatar.py"""

import json

import numpy as np
import onnx
import pytest

from export.errors import BadName, BadSource
from export.footage.dataset import open_dataset
from export.repository.avatar import (
    CPU_WEIGHTS_FILE,
    FRAME_FILES,
    SPEECH_FILE,
    WEIGHTS_FILE,
    Avatar,
    check_name,
    read_avatar,
    write_avatar,
)
from tests.export.sources import FRAMES, tree

DESCRIPTION = {
    "name": "May-2_b",
    "fps": 25.0,
    "frame_count": FRAMES,
    "audio_mode": "ave",
    "edge_padding": "zeros",
    "source": "dataset May",
    "hears": False,
    "network": "U-Net 328",
    "audio_window": 16,
    "resizing": "cubic",
    "mask_rows": [5, 310],
    "mask_columns": [5, 315],
}


def described():
    return Avatar(**{key: DESCRIPTION[key] for key in list(DESCRIPTION)[:6]})


@pytest.fixture
def written(dataset, bare_onnx, tmp_path):
    """An avatar's folder."""
    folder = tmp_path / "avatars" / "May-2_b"
    write_avatar(folder, described(), open_dataset(dataset.folder, "ave"), onnx.load(bare_onnx))
    return folder


def test_folder_is_complete(written):
    """The folder holds the description, the weights and every frame file, and nothing else."""
    names = {"avatar.json", "unet.onnx", "unet_cpu.onnx", "faces.npy", "audio_features.npy", "bounds.npy"}
    names |= {"full_frames.bin", "full_frame_offsets.npy", "sound.npy", "contact_sheet.jpg"}
    assert {path.name for path in written.iterdir()} == names
    assert set(FRAME_FILES) | {WEIGHTS_FILE, CPU_WEIGHTS_FILE, "avatar.json", "contact_sheet.jpg"} == names
    assert [path.name for path in written.parent.iterdir()] == [written.name]


def test_arrays(written, dataset):
    """Faces, squares and features are the source's, in type, shape and value."""
    faces, bounds = np.load(written / "faces.npy"), np.load(written / "bounds.npy")
    features = np.load(written / "audio_features.npy")
    assert (faces.dtype, bounds.dtype, features.dtype) == (np.uint8, np.int32, np.float32)
    np.testing.assert_array_equal(faces, dataset.faces)
    np.testing.assert_array_equal(bounds, dataset.squares)
    np.testing.assert_array_equal(features, dataset.features)


def test_sound(written, dataset):
    """A frame's row holds the 40 ms of the clip's sound that begin with it."""
    sound = np.load(written / "sound.npy")
    assert (sound.dtype, sound.shape) == (np.int16, (FRAMES, 640))
    np.testing.assert_array_equal(sound.reshape(-1), dataset.sound)


def test_full_frames(written, dataset):
    """Frame i's JPEG lies between offsets i and i + 1, byte for byte the source's file."""
    offsets, data = np.load(written / "full_frame_offsets.npy"), (written / "full_frames.bin").read_bytes()
    assert (offsets.dtype, offsets.shape, offsets[0], offsets[-1]) == (np.int64, (FRAMES + 1,), 0, len(data))
    for index in range(FRAMES):
        jpeg = (dataset.folder / "full_body_img" / f"{index}.jpg").read_bytes()
        assert data[offsets[index] : offsets[index + 1]] == jpeg


def test_weights(written, bare_onnx):
    """The weights are the model given."""
    assert onnx.load(written / WEIGHTS_FILE) == onnx.load(bare_onnx)


def test_description(written):
    """``avatar.json`` says exactly this, and reads back as the same avatar."""
    assert json.loads((written / "avatar.json").read_text()) == DESCRIPTION
    assert read_avatar(written) == described()


def test_avatars_of_before(written):
    """A description from before avatars could hear reads as one that cannot."""
    content = {key: value for key, value in DESCRIPTION.items() if key != "hears"}
    (written / "avatar.json").write_text(json.dumps(content))
    assert read_avatar(written) == described()


def test_one_encoder_is_stored_once(dataset, bare_onnx, tmp_path):
    """Two avatars with the same speech model share one file; one that no avatar has any more goes."""
    ears, others = onnx.load(bare_onnx), onnx.load(bare_onnx)
    others.doc_string = "another"
    hearing = Avatar(**{key: DESCRIPTION[key] for key in list(DESCRIPTION)[1:6]}, name="may", hears=True)

    def write(name, model):
        footage = open_dataset(dataset.folder, "ave")
        write_avatar(tmp_path / "avatars" / name, hearing, footage, onnx.load(bare_onnx), model)
        return tmp_path / "avatars" / name / SPEECH_FILE

    first, second = write("may", ears), write("june", ears)
    assert first.samefile(second)
    shared = tmp_path / "avatars" / ".speech"
    assert len(list(shared.iterdir())) == 1
    write("may", others)
    assert len(list(shared.iterdir())) == 2
    write("june", others)
    write("june", others)
    assert len(list(shared.iterdir())) == 1


def test_a_bad_frame_leaves_nothing(dataset, bare_onnx, tmp_path):
    """When a frame in the middle is bad, no folder appears, not even its parent."""
    (dataset.folder / "landmarks" / "4.lms").write_text("1 2\n")
    before = tree(tmp_path)
    footage = open_dataset(dataset.folder, "ave")
    with pytest.raises(BadSource, match=r"4\.lms: expected 110 lines 'x y', got 1 lines$"):
        write_avatar(tmp_path / "avatars" / "may", described(), footage, onnx.load(bare_onnx))
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["a", "7", "Sanders", "may_2-b", "a" * 64, "frames", "unet", "jpeg_encode2"])
def test_good_names(name):
    """Letters, digits, '-' and '_' up to 64 make a name."""
    check_name(name)


@pytest.mark.parametrize("name", ["", "_a", "-a", "a b", "a/b", "..", "a.b", "ä", "a\n", "a" * 65])
def test_bad_names(name):
    """What a folder, Triton or the wire cannot carry is refused."""
    with pytest.raises(BadName) as caught:
        check_name(name)
    assert str(caught.value).endswith(f"got {name!r}")


@pytest.mark.parametrize(
    "name", ["jpeg_encode", "jpeg_live", "demo_frames", "demo_unet", "demo_speech", "demo_live"]
)
def test_names_of_other_models(name):
    """An avatar cannot take the name of the shared encoder or of another avatar's parts."""
    with pytest.raises(BadName):
        check_name(name)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "{",
        "[]",
        "{}",
        json.dumps({**DESCRIPTION, "more": 1}),
        json.dumps({**DESCRIPTION, "audio_mode": "mel"}),
    ],
)
def test_broken_descriptions(tmp_path, content):
    """A folder without a whole description is no avatar."""
    if content is not None:
        (tmp_path / "avatar.json").write_text(content)
    with pytest.raises(BadSource) as caught:
        read_avatar(tmp_path)
    assert str(caught.value).startswith(
        f"{tmp_path / 'avatar.json'}: expected an avatar's description, got none that is whole ("
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("name", value) for value in (5, None, "a/b", ["may"])),
        *(("fps", value) for value in ("25", None, float("nan"), float("inf"), 0, -25, 1e300, 10**400, True)),
        *(("frame_count", value) for value in ("6", 6.0, 0, -1, 10**30, None, True)),
        *(("audio_mode", value) for value in (["ave"], {}, 3)),
        *(("network", value) for value in (["U-Net 328"], "U-Net 5", {})),
        *(("audio_window", value) for value in (7, "16", 16.0, 10**9)),
        *(("hears", value) for value in ("yes", 1, None)),
        *(("source", value) for value in (None, 5, {})),
        *(
            ("mask_rows", value)
            for value in (5, [], [5], [5, 310, 3], ["5", "310"], [310, 5], [5, 10**9], "ab")
        ),
        ("mask_columns", {"5": 1, "6": 2}),
    ],
)
def test_odd_descriptions(tmp_path, key, value):
    """A value of another type, or one that cannot be, is one sentence."""
    (tmp_path / "avatar.json").write_text(json.dumps({**DESCRIPTION, key: value}))
    with pytest.raises(BadSource) as caught:
        read_avatar(tmp_path)
    assert "expected an avatar's description, got none that is whole (" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_deep_and_large_descriptions(tmp_path):
    """A description of endless brackets, or of a megabyte, is one sentence, too."""
    for content in ("[" * 100_000, " " * (1 << 21) + json.dumps(DESCRIPTION)):
        (tmp_path / "avatar.json").write_text(content)
        with pytest.raises(BadSource, match="expected an avatar's description, got none that is whole"):
            read_avatar(tmp_path)
