"""export/bounds.py"""

import os

import pytest

from export.bounds import PICTURE_SIDE, check_picture_size, open_plain, read_plain
from export.errors import BadModel, BadSource


def test_a_plain_file(tmp_path):
    """A file of up to the bound is read whole; one byte more is refused with both sizes."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_plain(path, "five bytes", 5) == b"12345"
    with pytest.raises(BadModel) as caught:
        read_plain(path, "five bytes", 4, BadModel)
    assert str(caught.value) == f"{path}: expected a file of up to 4 bytes, got 5 bytes"


def test_a_large_file_is_not_read(tmp_path):
    """Sizes are looked at before anything is read: this file is larger than any memory."""
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, 1 << 42)
    with pytest.raises(BadSource, match=r"expected a file of up to 1 MiB, got 4194304 MiB$"):
        read_plain(path, "a file", 1 << 20)


def test_what_is_no_file(tmp_path):
    """Nothing, a folder, a device and a pipe, which nobody writes to, are each refused at once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(BadSource, match="expected a file of mine, got nothing there"):
        open_plain(tmp_path / "absent", "a file of mine", 5)
    for path in (tmp_path, pipe):
        with pytest.raises(BadSource, match="expected a plain file, got a folder or a device"):
            open_plain(path, "a file of mine", 5)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (PICTURE_SIDE + 1, 5), (8192, 8192), (-1, -1)])
def test_pictures_that_are_too_large(tmp_path, size):
    """A picture of no pixels, of too long a side or of too many pixels is refused."""
    with pytest.raises(BadSource) as caught:
        check_picture_size(tmp_path, *size)
    assert str(caught.value).endswith(f"8192 pixels a side, 36 million in all, got {size[0]}x{size[1]}")
    check_picture_size(tmp_path, 7680, 4320)
