"""demo/spoken.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from demo import cast
from demo.errors import SpeechUnavailable
from demo.geometry import mouth_size
from demo.pose import MouthPose
from demo.recording import read_recording
from demo.spoken import main, write_spoken
from speech.wav import read_speech


def test_a_take_is_sound_and_poses(tmp_path: Path) -> None:
    """The sound is as said; the poses give the mouths that drawing it gives."""
    speech = read_recording("heldout")
    write_spoken(tmp_path / "take", speech)
    assert sorted(path.name for path in (tmp_path / "take").iterdir()) == ["aud.wav", "pose.npy"]
    np.testing.assert_allclose(read_speech(tmp_path / "take" / "aud.wav") * 32_768, speech.sound, atol=0.01)
    poses = np.load(tmp_path / "take" / "pose.npy")
    assert (poses.dtype, poses.shape) == (np.float32, (len(speech.sound) // 640, 6))
    sizes = np.array(
        [mouth_size(MouthPose(**dict(zip(MouthPose.__annotations__, row, strict=True)))) for row in poses]
    )
    assert sizes[:, 0].max() > 0.6
    assert (sizes[:12, 0] < 0.05).all()


def test_known_and_new_voices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command writes a folder for each take, by kind, of as many voices as asked for."""
    counts = []

    def speak(count: int | None) -> list[object]:
        counts.append(count)
        return [read_recording("heldout")] * 2

    monkeypatch.setattr(cast, "known", speak)
    monkeypatch.setattr(cast, "people", speak)
    assert main([str(tmp_path), "--voices", "3"]) == 0
    assert counts == [3, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["known_1", "known_2", "voice_1", "voice_2"]


def test_without_a_synthesiser_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A missing program is one sentence and status 1."""

    def fail(count: int | None) -> None:
        raise SpeechUnavailable("flite: install flite", "flite")

    monkeypatch.setattr(cast, "known", fail)
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err.endswith(
        "speech is made with flite, but this is missing: flite: install flite\n"
    )
