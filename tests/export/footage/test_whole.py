"""export/footage/whole.py"""

import re

import av
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.whole import check_whole
from tests.export.cases import CASES
from tests.export.films import skip_start, write_film
from tests.export.recordings import beeps, grey_pictures, write_recording
from tests.export.sources import smooth_picture, write_video


def cut(path, share=0.5):
    """Cut a file, as a download does that breaks off."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def refusal(path):
    with pytest.raises(BadSource) as caught:
        check_whole(path)
    return str(caught.value)


def test_a_download_that_broke_off():
    """An MP4 file whose header counts more pictures than are there is refused with both counts."""
    path = CASES / "cut_fs.mp4"
    assert refusal(path) == f"{path}: expected a whole video of 250 pictures, as its header counts, got 131"


@pytest.mark.parametrize("case", ["rot180.mp4", "phone_portrait.mov"])
def test_whole_ones(case):
    """A whole video passes."""
    check_whole(CASES / case)


def test_what_an_edit_list_skips_is_there(tmp_path):
    """Pictures that are there and not shown are not missing."""
    path = tmp_path / "talk.mov"
    write_film(path, grey_pictures(60), [beeps(2.4, 16_000)])
    skip_start(path, 50 * 512, 2 * 16_000)
    check_whole(path)


def test_a_recording(tmp_path):
    """Of containers that count no pictures, the header says how long they last."""
    path = tmp_path / "talk.mkv"
    pictures = [smooth_picture(index) for index in range(100)]
    write_recording(path, pictures, np.arange(100) / 25)
    check_whole(path)
    cut(path)
    assert refusal(path).startswith(f"{path}: expected a whole video of 3.96 s, as its header says, got 1.")


def test_an_avi_file(tmp_path):
    """An AVI file that is cut is refused, too."""
    path = tmp_path / "talk.avi"
    write_video(path, [smooth_picture(index) for index in range(100)])
    check_whole(path)
    cut(path)
    size = path.stat().st_size
    assert re.fullmatch(
        rf".*: expected a whole video of \d+ bytes, as its header counts, got {size}", refusal(path)
    )


def test_a_header_that_says_nothing(tmp_path):
    """A recording whose header says no length, as browsers make them, passes as far as it goes."""
    path = tmp_path / "talk.mkv"
    with av.open(str(path), "w", options={"live": "1"}) as container:
        track = container.add_stream("ffv1", rate=25)
        track.width, track.height, track.pix_fmt = 128, 96, "bgr0"
        for picture in grey_pictures(50):
            container.mux(track.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        container.mux(track.encode(None))
    cut(path)
    check_whole(path)


def test_a_file_without_pictures(tmp_path):
    """What has no pictures is refused where they are read, not here."""
    path = tmp_path / "talk.mov"
    with av.open(str(path), "w") as container:
        track = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(beeps(0.1, 16_000)[None], "s16", "mono")
        frame.rate = 16_000
        container.mux(track.encode(frame))
    check_whole(path)
