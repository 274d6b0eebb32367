"""backends/jpeg_encode/encoder.py"""

from __future__ import annotations

import struct
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from backends.jpeg_encode.encoder import DIGITAL_SOURCE_TYPE, XMP_SEGMENT, encode_jpeg, mark_synthetic

APP0, APP1, START_OF_SCAN = 0xE0, 0xE1, 0xDA
XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"


def picture(side: int = 320) -> np.ndarray:
    """A smooth picture with some noise, (side, side, 3) uint8."""
    rng = np.random.default_rng(3)
    ramp = np.linspace(0, 220, side)
    smooth = np.stack(
        [ramp[:, None] + 0 * ramp, ramp + 0 * ramp[:, None], (ramp[:, None] + ramp) / 2], axis=2
    )
    return (smooth + rng.integers(0, 30, smooth.shape)).astype(np.uint8)


def segments(jpeg: bytes) -> list[tuple[int, bytes]]:
    """Return marker and payload of every segment before the picture's data."""
    assert jpeg[:2] == b"\xff\xd8"
    found, position = [], 2
    while not found or found[-1][0] != START_OF_SCAN:
        mark, marker, length = struct.unpack_from(">BBH", jpeg, position)
        assert mark == 0xFF
        found.append((marker, jpeg[position + 4 : position + 2 + length]))
        position += 2 + length
    return found


@pytest.mark.parametrize("quality", [1, 40, 95, 100])
@pytest.mark.parametrize("size", [256, 320])
def test_picture_is_what_opencv_gives(size: int, quality: int) -> None:
    """But for the XMP segment, the file is OpenCV's own: resampled bilinearly to 256, or the 320 pixels as they are."""
    image = picture()
    resized = image if size == 320 else cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    plain = cv2.imencode(".jpg", resized, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    jpeg = encode_jpeg(image, size, quality)
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert [one for one in segments(jpeg) if one[0] != APP1] == segments(plain)
    assert decoded.shape == (size, size, 3)
    np.testing.assert_array_equal(decoded, cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_COLOR))


def test_a_smaller_picture_keeps_its_size() -> None:
    """A picture of 160 pixels is not blown up to 256."""
    image = picture(160)
    decoded = cv2.imdecode(np.frombuffer(encode_jpeg(image, 256, 95), np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (160, 160, 3)


def test_marked_as_synthetic() -> None:
    """JFIF comes first, as its standard asks, then one XMP packet with IPTC's digital source type."""
    (first, jfif), (second, xmp), *rest = segments(encode_jpeg(picture(), 256, 95))
    assert (first, second) == (APP0, APP1)
    assert jfif.startswith(b"JFIF\0")
    assert APP1 not in [marker for marker, _ in rest]
    assert xmp.startswith(XMP_NAME)
    tree = ElementTree.fromstring(xmp.removeprefix(XMP_NAME))
    values = [one.get(f"{IPTC}DigitalSourceType") for one in tree.iter()]
    assert [value for value in values if value] == [DIGITAL_SOURCE_TYPE]
    assert DIGITAL_SOURCE_TYPE.startswith("http://cv.iptc.org/newscodes/digitalsourcetype/")


def test_mark_without_app0() -> None:
    """A file that another encoder began without APP0 has the mark first."""
    marked = encode_jpeg(picture(), 256, 95)
    app0 = 4 + int.from_bytes(marked[4:6], "big")
    bare = marked[:2] + marked[app0 + len(XMP_SEGMENT) :]
    assert mark_synthetic(memoryview(bare)) == marked[:2] + marked[app0:]


def test_quality() -> None:
    """The higher the quality, the closer the picture and the longer the file."""
    image = picture()
    jpegs = [encode_jpeg(image, 320, quality) for quality in (20, 60, 95)]
    decoded = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in jpegs]
    errors = [float(np.abs(one.astype(int) - image).mean()) for one in decoded]
    assert errors == sorted(errors, reverse=True)
    assert [len(jpeg) for jpeg in jpegs] == sorted(len(jpeg) for jpeg in jpegs)


def test_part_of_a_batch() -> None:
    """A picture that is a view into a batch gives the same file as its copy."""
    batch = np.stack([picture(), picture()[::-1]])
    assert encode_jpeg(batch[1], 256, 95) == encode_jpeg(batch[1].copy(), 256, 95)
