"""export/network/torch_file.py"""

import zipfile

import pytest
import torch

from export.errors import BadCheckpoint
from export.network import torch_file
from export.network.checkpoint import kinds_of_checkpoint
from export.network.torch_file import check_plain, read_torch_file


def refusal(path):
    with pytest.raises(BadCheckpoint) as caught:
        read_torch_file(path)
    return str(caught.value).removeprefix(f"{path}: expected ")


def test_what_is_packed(tmp_path, monkeypatch):
    """A zip whose content is larger than a checkpoint may be is refused before it is unpacked."""
    monkeypatch.setattr(torch_file, "CHECKPOINT_BYTES", 1 << 20)
    torch.save({"a": torch.zeros(1 << 20)}, tmp_path / "a.pth")
    assert refusal(tmp_path / "a.pth") == "a file of up to 1 MiB, got 4 MiB"
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as stored,
        zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    assert (tmp_path / "b.pth").stat().st_size < 1 << 16
    assert refusal(tmp_path / "b.pth") == "a checkpoint of up to 1 MiB, unpacked, got 4 MiB"


def test_a_file(tmp_path):
    """What was saved comes back; what is missing, empty or something else is said."""
    path = tmp_path / "a.pth"
    assert refusal(path) == "a checkpoint file, got nothing there"
    path.touch()
    assert refusal(path) == "a whole PyTorch checkpoint of tensors only, got an empty file"
    path.write_bytes(b"PK\3\4" + bytes(100))
    assert refusal(path).startswith(
        "a whole PyTorch checkpoint of tensors only, got bytes that torch cannot read"
    )
    torch.save({"epoch": 3}, path)
    assert read_torch_file(path) == {"epoch": 3}


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(1 << 20, 1 << 20),
        torch.zeros(3, 3).to_sparse(),
        torch.zeros(3, dtype=torch.complex64),
    ],
    ids=["one number as many", "sparse", "complex"],
)
def test_tensors_that_are_not_plain(tmp_path, tensor):
    """A tensor that claims more numbers than are stored, or is of another kind, is refused by its name."""
    torch.save({"key": tensor}, tmp_path / "a.pth")
    with pytest.raises(
        BadCheckpoint, match=r"expected plain tensors, each number stored once, got another in key$"
    ):
        kinds_of_checkpoint(tmp_path / "a.pth")
    check_plain(tmp_path, {"a": torch.zeros(4, 4)[:, 1], "b": torch.tensor(3)})
