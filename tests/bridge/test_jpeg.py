"""bridge/jpeg.py"""

import cv2
import numpy as np
import pytest

from bridge.errors import InternalError
from bridge.jpeg import jpeg_shape


@pytest.mark.parametrize("shape", [(256, 256, 3), (120, 320, 3), (64, 48, 1)])
@pytest.mark.parametrize("progressive", [0, 1])
def test_shape_of_encoded_pictures(shape, progressive):
    """The shape of a picture that OpenCV encoded is the array's, baseline or progressive."""
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    encoded = cv2.imencode(".jpg", np.zeros(shape, np.uint8), flags)[1].tobytes()
    assert jpeg_shape(memoryview(encoded)) == "x".join(map(str, shape))


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\xff\xd8", b"\xff\xd8\xff\xfe\x00\x05abc", b"\xff\xd8" + bytes(99)]
)
def test_not_a_jpeg(content):
    """Anything without a frame header is an internal error, whose detail says what arrived."""
    with pytest.raises(InternalError) as caught:
        jpeg_shape(content)
    assert f"got {len(content)} bytes" in caught.value.detail
