"""demo/lip_sync.py"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from demo import lip_sync
from demo.lip_sync import (
    NOISES,
    TARGETS,
    VOICES,
    Heard,
    draw_heldout,
    is_followed,
    open_network,
    write_contact_sheet,
)
from demo.live import Followed, measure_followed, measure_in_noise
from demo.quality import KnownTake, Quality, measure_quality
from demo.recording import read_recording
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


@pytest.mark.parametrize("heard", VOICES, ids=lambda heard: heard.recording)
def test_the_demo_follows_voices(heldout: KnownTake, heard: Heard) -> None:
    """What ships follows each voice that was kept out of training as promised, on frames of another moment."""
    faces = heldout.faces[::-1]
    speech = read_recording(heard.recording)
    got = measure_followed(speech, faces, open_network(UNET_PATH), open_encoder(AUDIO_ENCODER_PATH))
    assert is_followed(heard, got), got
    assert abs(got.lag_frames) <= 1


@pytest.mark.parametrize(("level_db", "most"), NOISES)
def test_the_demo_is_silent_in_a_room(heldout: KnownTake, level_db: float, most: float) -> None:
    """Where nobody speaks the mouth is shut, whatever the ventilation says."""
    faces = heldout.faces[::40]
    assert measure_in_noise(faces, open_network(UNET_PATH), open_encoder(AUDIO_ENCODER_PATH), level_db) < most


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (Followed(100, 0.81, 0.71, 1.0, 0), True),
        (Followed(100, 0.79, 0.71, 1.0, 0), False),
        (Followed(100, 0.81, 0.69, 1.0, 0), False),
        (Followed(100, 0.81, 0.71, 0.89, 0), False),
        (Followed(100, 0.81, 0.71, 1.11, 0), False),
    ],
)
def test_each_promise_counts(got: Followed, expected: bool) -> None:
    """A voice is followed if opening, width and mean opening are all as promised."""
    assert is_followed(Heard("a", "b", 0.8, 0.7, (0.9, 1.1)), got) is expected


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
    monkeypatch.setattr(lip_sync, "measure_followed", lambda *args: Followed(100, 0.95, 0.95, 1.0, 0))
    monkeypatch.setattr(lip_sync, "measure_in_noise", lambda *args: 0.02)
    for quality, status, verdict in (
        (GOOD, 0, "yes"),
        (Quality(282, 0, 0.89, *[0.9, 34, 31, 0, 0.03, 0.1, 1.0]), 1, "NO"),
    ):
        monkeypatch.setattr(lip_sync, "measure_quality", lambda *args, quality=quality: quality)
        assert lip_sync.main([]) == status
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "held-out voice and sentences, 282 frames; worst frame 31.0 dB"
        assert len(lines) == 2 + len(TARGETS) + len(VOICES) + len(NOISES)
        assert lines[1].split()[-1] == verdict
        assert {line.split()[-1] for line in lines[2 + len(TARGETS) :]} == {"yes"}
    monkeypatch.setattr(lip_sync, "measure_quality", lambda *args: GOOD)
    monkeypatch.setattr(lip_sync, "measure_in_noise", lambda *args: 0.2)
    assert lip_sync.main([]) == 1
    assert capsys.readouterr().out.splitlines()[-1].split()[-1] == "NO"
    monkeypatch.setattr(lip_sync, "measure_in_noise", lambda *args: 0.02)
    monkeypatch.setattr(lip_sync, "measure_followed", lambda *args: Followed(100, 0.95, 0.5, 1.0, 0))
    assert lip_sync.main([]) == 1
