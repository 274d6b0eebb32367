"""Speech from flite, whose voices are made from people's recordings, and which phoneme is said when.

The program is called once for each sentence: it writes the sound and prints each phone with the second at which
it ends.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from demo.arpabet import Phone, to_speech
from demo.errors import SpeechUnavailable
from demo.voices import Speech

__all__ = ["FliteVoice", "speak"]

_PROGRAM = "flite"
_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class FliteVoice:
    """A voice of flite.

    Attributes:
        name: As ``flite -lv`` lists it, such as ``slt``.
        stretch: How much longer than at the voice's own pace everything lasts.
        pitch_hz: Mean pitch; 0 is the voice's own, and only diphone voices (``kal16``) know another.
    """

    name: str
    stretch: float = 1.0
    pitch_hz: int = 0


def speak(text: str, voice: FliteVoice) -> Speech:
    """Say a text, without the silence at both ends.

    Raises:
        SpeechUnavailable: If flite is not installed, or lacks the voice.
        UnknownPhoneme: If flite says what is none of American English.
    """
    if voice.name not in _voices():
        raise SpeechUnavailable(f"flite's voice {voice.name}", "flite")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        printed = _run(["-o", str(path), *_options(voice), "-psdur", "-t", text])
        return to_speech(path, [_phone(word) for word in printed.split()])


def _options(voice: FliteVoice) -> list[str]:
    options = ["-voice", voice.name, "--setf", f"duration_stretch={voice.stretch}"]
    if voice.pitch_hz:
        options += ["--setf", f"int_f0_target_mean={voice.pitch_hz}"]
    return options


@lru_cache(maxsize=1)
def _voices() -> frozenset[str]:
    """Return the voices there are: asked for another, flite takes one of its own without a word."""
    return frozenset(_run(["-lv"]).partition(":")[2].split())


def _run(arguments: list[str]) -> str:
    try:
        done = subprocess.run(
            [_PROGRAM, *arguments], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except FileNotFoundError as exc:
        raise SpeechUnavailable(f"{_PROGRAM}: install flite", "flite") from exc
    except (OSError, subprocess.SubprocessError) as exc:
        raise SpeechUnavailable(f"an answer of {_PROGRAM} ({exc})", "flite") from exc
    return done.stdout


def _phone(word: str) -> Phone:
    name, _, end_s = word.rpartition(":")
    return Phone(name, float(end_s))
