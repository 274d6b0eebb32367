"""export/footage/pictures.py"""

import resource

import cv2
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.pictures import read_jpeg, read_picture
from tests.export.sources import smooth_picture


def encoded(suffix, *options):
    return cv2.imencode(suffix, smooth_picture(0), list(options))[1].tobytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_pictures(tmp_path, suffix):
    """A picture comes back as OpenCV decodes it, a JPEG with its own bytes."""
    path = tmp_path / f"0{suffix}"
    path.write_bytes(encoded(suffix))
    np.testing.assert_array_equal(read_picture(path), cv2.imread(str(path)))
    if suffix == ".jpg":
        picture, data = read_jpeg(path)
        np.testing.assert_array_equal(picture, cv2.imread(str(path)))
        assert data == path.read_bytes()


def test_a_progressive_jpeg(tmp_path):
    """A progressive picture is taken; one of so many scans that it would take hours is not."""
    path = tmp_path / "0.jpg"
    data = encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    path.write_bytes(data)
    assert read_jpeg(path)[0].shape == (224, 256, 3)
    last = data.rindex(b"\xff\xda")
    path.write_bytes(data[:-2] + 200 * data[last:-2] + data[-2:])
    with pytest.raises(BadSource, match=r"expected a JPEG picture of up to 100 scans, got 2\d\d$"):
        read_jpeg(path)


def test_headers_that_claim_too_much(tmp_path):
    """A few bytes that claim a picture of gigabytes are refused before it is made."""
    path = tmp_path / "0.png"
    data = bytearray(encoded(".png"))
    data[16:24] = (40_000).to_bytes(4, "big") * 2
    path.write_bytes(data)
    with pytest.raises(BadSource, match=r"36 million in all, got 40000x40000$"):
        read_picture(path)
    path.write_bytes(
        b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x11\x08\xff\xdc\xff\xdc\x03" + bytes(64) + b"\xff\xd9"
    )
    for read in (read_picture, read_jpeg):
        with pytest.raises(BadSource, match=r"got 65500x65500$"):
            read(path)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xda" + bytes(99), b"\x89PNG\r\n\x1a\n"]
)
def test_no_picture(tmp_path, data):
    """What has no header of a picture is none."""
    path = tmp_path / "0.png"
    path.write_bytes(data)
    with pytest.raises(BadSource, match=f"expected a whole picture, got {len(data)} bytes that are none"):
        read_picture(path)


@pytest.mark.parametrize("suffix", [".bmp", ".tiff", ".webp"])
def test_other_formats(tmp_path, suffix):
    """Only JPEG and PNG are read, whatever a file is called."""
    path = tmp_path / "0.png"
    path.write_bytes(encoded(suffix))
    with pytest.raises(BadSource, match="expected a whole picture"):
        read_picture(path)


@pytest.mark.parametrize("claimed", [1 << 30, 0x6F000000, 0xFFFFFFFF])
def test_a_chunk_that_claims_gigabytes(tmp_path, claimed):
    """A PNG whose chunk is longer than the file is refused before room for it is set aside."""
    whole = cv2.imencode(".png", np.zeros((24, 24, 3), np.uint8))[1].tobytes()
    at = whole.index(b"IDAT") - 4
    path = tmp_path / "0.png"
    path.write_bytes(whole[:at] + claimed.to_bytes(4, "big") + whole[at + 4 :])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadSource, match="expected a whole picture"):
        read_picture(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10
