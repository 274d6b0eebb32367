"""demo/lip_sync.py"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from demo import lip_sync
from demo.lip_sync import TARGETS, draw_heldout, open_network, write_contact_sheet
from demo.quality import KnownTake, Quality, measure_quality
from demo.weights import AUDIO_ENCODER_PATH, UNET_PATH
from export.network.encoder_weights import open_encoder

GOOD = Quality(282, 0, 0.96, 0.9, 34.0, 31.0, 0, 0.03, 0.1, 1.0)


@pytest.fixture(scope="module")
def heldout(tmp_path_factory: pytest.TempPathFactory) -> KnownTake:
    """The held-out take, as the demo's encoder hears it."""
    folder = tmp_path_factory.mktemp("heldout") / "heldout"
    return draw_heldout(folder, open_encoder(AUDIO_ENCODER_PATH))


def test_the_demo_speaks(heldout: KnownTake) -> None:
    """What ships meets every target on the voice and the sentences that were kept out of training."""
    quality = measure_quality(heldout, open_network(UNET_PATH), open_encoder(AUDIO_ENCODER_PATH))
    missed = [target.name for target in TARGETS if not target.is_met(target.value(quality))]
    assert missed == [], quality


def test_contact_sheet(tmp_path: Path, heldout: KnownTake) -> None:
    """Twelve true frames above, what a network makes of them below."""
    write_contact_sheet(tmp_path / "sheet.jpg", heldout, lambda faces, audio: 255 - faces)
    sheet = cv2.imread(str(tmp_path / "sheet.jpg")).astype(int)
    assert sheet.shape == (320, 12 * 160, 3)
    assert np.abs(sheet[:160] + sheet[160:] - 255).mean() < 3


def test_prints_each_target(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], heldout: KnownTake
) -> None:
    """Each target has a line with value, wanted value and verdict; one missed is exit status 1."""
    monkeypatch.setattr(lip_sync, "draw_heldout", lambda *args: heldout)
    for quality, status, verdict in (
        (GOOD, 0, "yes"),
        (Quality(282, 0, 0.89, *[0.9, 34, 31, 0, 0.03, 0.1, 1.0]), 1, "NO"),
    ):
        monkeypatch.setattr(lip_sync, "measure_quality", lambda *args, quality=quality: quality)
        assert lip_sync.main([]) == status
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "held-out voice and sentences, 282 frames; worst frame 31.0 dB"
        assert len(lines) == 1 + len(TARGETS)
        assert lines[1].split()[-1] == verdict
