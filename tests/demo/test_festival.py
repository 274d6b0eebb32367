"""demo/festival.py"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from demo import festival
from demo.errors import SpeechUnavailable
from demo.festival import FestivalVoice, speak_all
from demo.voices import SILENCE

VOICE = "ked_diphone"
has_voice = Path(f"/usr/share/festival/voices/english/{VOICE}").is_dir()
needs_festival = pytest.mark.skipif(
    shutil.which("festival") is None or not has_voice, reason="needs festival and festvox-kdlpc16k"
)


@needs_festival
def test_what_is_said_and_when() -> None:
    """Each text comes back as its own speech, quotation marks left out, from the first sample to the last."""
    both = speak_all(['My "pie", please.', "No."], FestivalVoice(name=VOICE))
    said = [[p.name for p in speech.phonemes if p.name != SILENCE] for speech in both]
    assert said == [["m", "aI", "p", "aI", "p", "l", "i:", "z"], ["n", "oU"]]
    for speech in both:
        assert speech.phonemes[0].start_s == 0
        assert speech.phonemes[-1].end_s == pytest.approx(speech.duration_s, abs=1e-3)
        assert abs(speech.sound.astype(int)).max() > 1000


@needs_festival
def test_pace_is_obeyed() -> None:
    """Stretched speech is as much longer."""
    (even,) = speak_all(["Please."], FestivalVoice(name=VOICE))
    (slow,) = speak_all(["Please."], FestivalVoice(name=VOICE, stretch=1.5))
    assert slow.duration_s == pytest.approx(1.5 * even.duration_s, rel=0.1)


@needs_festival
def test_an_unknown_voice_is_refused() -> None:
    """A voice that festival lacks is named."""
    with pytest.raises(SpeechUnavailable, match=r"made with festival, .*: festival's voice nobody$"):
        speak_all(["hello"], FestivalVoice(name="nobody"))


def test_a_missing_program_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without festival the error says what to install."""
    monkeypatch.setattr(festival, "_PROGRAM", "festival-of-no-machine")
    with pytest.raises(SpeechUnavailable, match=r"festival-of-no-machine: install festival$"):
        speak_all(["hello"], FestivalVoice(name=VOICE))


def test_a_program_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time the program is ended, and the error says so."""

    def hang(*args: object, **kwargs: object) -> None:
        raise subprocess.TimeoutExpired("festival", 600)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(SpeechUnavailable, match=r"an answer of festival .*timed out after 600 seconds"):
        speak_all(["hello"], FestivalVoice(name=VOICE))
