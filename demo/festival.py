"""Speech from festival, whose voices are made from people's recordings, and which phoneme is said when.

The program is called once for a list of sentences: its start takes as long as a sentence. A script of its own language
tells it to save each one's sound and segments.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.arpabet import Phone, to_speech
from demo.errors import SpeechUnavailable
from demo.voices import Speech

__all__ = ["FestivalVoice", "speak_all"]

_PROGRAM = "festival"
_TIMEOUT_S = 600.0


@dataclass(frozen=True, kw_only=True)
class FestivalVoice:
    """A voice of festival.

    Attributes:
        name: As ``(voice.list)`` gives it, such as ``ked_diphone``.
        stretch: How much longer than at the voice's own pace everything lasts.
    """

    name: str
    stretch: float = 1.0


def speak_all(texts: Sequence[str], voice: FestivalVoice) -> list[Speech]:
    """Say texts, each without the silence at both ends.

    Raises:
        SpeechUnavailable: If festival is not installed, or lacks the voice.
        UnknownPhoneme: If festival says what is none of American English.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "say.scm"
        script.write_text(_script(texts, voice, folder), encoding="utf-8")
        _run(script, voice)
        return [_read(folder, index) for index in range(len(texts))]


def _script(texts: Sequence[str], voice: FestivalVoice, folder: Path) -> str:
    lines = [f"(voice_{voice.name})", f"(Parameter.set 'Duration_Stretch {voice.stretch})"]
    for index, text in enumerate(texts):
        quoted = text.replace("\\", "").replace('"', "")
        lines += [
            f'(set! utt (utt.synth (Utterance Text "{quoted}")))',
            f'(utt.save.wave utt "{folder / str(index)}.wav" \'riff)',
            f'(utt.save.segs utt "{folder / str(index)}.segs")',
        ]
    return "\n".join(lines) + "\n"


def _run(script: Path, voice: FestivalVoice) -> None:
    try:
        subprocess.run([_PROGRAM, "-b", str(script)], capture_output=True, timeout=_TIMEOUT_S, check=True)
    except FileNotFoundError as exc:
        raise SpeechUnavailable(f"{_PROGRAM}: install festival", "festival") from exc
    except subprocess.CalledProcessError as exc:
        raise SpeechUnavailable(f"festival's voice {voice.name}", "festival") from exc
    except (OSError, subprocess.SubprocessError) as exc:
        raise SpeechUnavailable(f"an answer of {_PROGRAM} ({exc})", "festival") from exc


def _read(folder: Path, index: int) -> Speech:
    lines = (folder / f"{index}.segs").read_text(encoding="utf-8").splitlines()
    rows = (line.split() for line in lines if line != "#")
    return to_speech(folder / f"{index}.wav", [Phone(name, float(end_s)) for end_s, _, name in rows])
