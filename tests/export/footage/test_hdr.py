"""export/footage/hdr.py"""

from fractions import Fraction

import av
import numpy as np
import pytest

from export.footage.hdr import to_standard_range
from export.footage.video import open_video, read_pictures

GREY_PQ = {0: 0.0, 10: 0.2997, 50: 0.4403, 80: 0.4859, 203: 0.5807, 1000: 0.7518, 10_000: 1.0}
"""PQ's level for light in cd/m², from the table of ITU-R BT.2408 and BT.2100."""

RED_709 = np.array([0.6274, 0.0691, 0.0164])
"""The red of BT.709 in linear BT.2020 (ITU-R BT.2087)."""


def convert(levels, transfer):
    """Convert one colour, RGB of 0 to 1; return it as BGR."""
    pixel = np.rint(np.broadcast_to(levels, (1, 1, 3)) * 65535).astype(np.uint16)
    return to_standard_range(pixel, transfer)[0, 0].astype(int)


@pytest.mark.parametrize("nits", [0, 10, 50, 80])
def test_light_below_half_of_white(nits):
    """Light stays what it is: that of a common screen whose white is 203 cd/m², of gamma 2.4."""
    np.testing.assert_allclose(convert(GREY_PQ[nits], "pq"), 255 * (nits / 203) ** (1 / 2.4), atol=1.5)


def test_white_and_highlights():
    """White stays bright and below the highlights, 1000 cd/m² is the brightest, and more does not overflow."""
    white, bright, most = (convert(GREY_PQ[nits], "pq")[0] for nits in (203, 1000, 10_000))
    assert 220 < white < 240
    assert (bright, most) == (255, 255)


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_a_ramp(transfer):
    """Grey stays grey, and what is brighter stays brighter, without a step."""
    ramp = np.repeat(np.linspace(0, 65535, 1024).astype(np.uint16)[None, :, None], 3, axis=2)
    levels = to_standard_range(ramp, transfer)[0].astype(int)
    assert np.ptp(levels, axis=1).max() <= 1
    assert set(np.diff(levels[:, 0])) <= {0, 1}
    assert levels[-1].tolist() == [255, 255, 255]


def test_both_curves_agree():
    """White is at 75 % of HLG and at 58 % of PQ (BT.2408): the same light gives the same picture."""
    np.testing.assert_allclose(convert(0.75, "hlg"), convert(0.5807, "pq"), atol=1)
    np.testing.assert_allclose(
        convert(0.38, "hlg"), convert(0.38, "pq"), atol=1
    )  # a grey card: 26 cd/m² in both


def test_primaries():
    """The red of common screens, at any light, comes out as red alone."""
    levels = [
        np.interp(light, [0, 10, 50, 80], [GREY_PQ[n] for n in (0, 10, 50, 80)]) for light in (80 * RED_709)
    ]
    blue, green, red = convert(levels, "pq")
    assert red > 150
    assert max(blue, green) < 90


@pytest.mark.parametrize(("number", "name", "level"), [(16, "PQ", 0.4403), (18, "HLG", 0.4971)])
def test_videos(tmp_path, number, name, level):
    """A video that says it is of a high dynamic range is brought to the common one, and says so."""
    path = tmp_path / "talk.mkv"
    with av.open(str(path), "w") as container:
        track = container.add_stream("ffv1", rate=25)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p10le"
        context = track.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, number, 9, 1
        luma = np.full((48, 64), round(64 + level * 876), np.uint16)
        chroma = np.full((24, 64), 512, np.uint16)
        frame = av.VideoFrame(64, 48, "yuv420p10le")
        for plane, values in zip(frame.planes, (luma, chroma[:, :32], chroma[:, 32:]), strict=True):
            padded = np.zeros((plane.height, plane.line_size // 2), np.uint16)
            padded[:, : values.shape[1]] = values[: plane.height]
            plane.update(padded.tobytes())
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    assert [remark.text for remark in open_video(path).remarks] == [
        f"high dynamic range ({name}) brought to the range of common screens (BT.709)"
    ]
    np.testing.assert_allclose(next(read_pictures(path, 1)), 142, atol=2)  # 50 of 203 cd/m², gamma 2.4
