"""export/network/kinds.py"""

from pathlib import Path

import pytest

from export.contract import UNET_160, UNET_328
from export.errors import BadMode
from export.network.kinds import Kind, choose_kind

PATH = Path("195.pth")
AVE, HUBERT = Kind(UNET_328, "ave", 16), Kind(UNET_328, "hubert", 16)


def test_audio_shape():
    """A kind's window of speech has the shape of its mode and length."""
    assert AVE.audio_shape == (32, 16, 16)
    assert Kind(UNET_160, "wenet", 8).audio_shape == (128, 16, 32)


def test_choice():
    """The mode that is named is chosen, and where none is, the first."""
    assert choose_kind(PATH, [AVE, HUBERT], "hubert") == HUBERT
    assert choose_kind(PATH, [AVE, HUBERT], None) == AVE


def test_no_choice():
    """A mode that the weights do not fit is refused with those they do."""
    with pytest.raises(BadMode) as caught:
        choose_kind(PATH, [AVE, HUBERT], "wenet")
    expected = "expected weights for wenet features, got a U-Net 328 for ave or hubert"
    assert str(caught.value) == f"195.pth: {expected}"
