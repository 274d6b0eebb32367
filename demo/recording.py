"""The recordings that come with the demo: sound and phonemes, so that only training data need synthesisers.

``python -m demo.recording`` speaks them again, but for the reader's: an aligner found the phonemes of that one.
``python -m demo.recording DIR`` speaks the training takes, into a folder from which
``python -m demo.dataset --recordings DIR`` draws them on a machine without espeak-ng.
"""

from __future__ import annotations

import argparse
import json
import sys
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from demo import cast, script
from demo.errors import BadRecording, DemoError
from demo.voices import Phoneme, Speech
from speech.contract import SAMPLE_RATE_HZ
from speech.wav import write_wav

__all__ = ["FOLDER", "HELD_OUT_PEOPLE", "NAMES", "excerpt", "main", "read_recording", "write_recording"]

FOLDER = Path(__file__).parent / "recordings"
NAMES = ("served", "heldout")
HELD_OUT_PEOPLE = ("heldout_flite", "heldout_festival", "heldout_reader")
"""Voices that were recorded from people, for measuring only; the last is a person who reads."""


def read_recording(name: str, folder: Path = FOLDER) -> Speech:
    """Read ``<name>.wav`` and ``<name>.json`` of a folder.

    Raises:
        BadRecording: If one of them is missing or not what it should be.
    """
    path = folder / f"{name}.wav"
    try:
        with wave.open(str(path), "rb") as file:
            form = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            if form != (SAMPLE_RATE_HZ, 1, 2):
                raise BadRecording(path, f"{form[0]} Hz, {form[1]} channels, {8 * form[2]} bits")
            sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
        path = folder / f"{name}.json"
        rows = json.loads(path.read_text(encoding="utf-8"))["phonemes"]
        return Speech(sound, tuple(Phoneme(str(n), float(start), float(end)) for n, start, end in rows))
    except (OSError, EOFError, wave.Error, ValueError, KeyError, TypeError) as exc:
        raise BadRecording(path, f"{type(exc).__name__}: {exc}") from exc


def excerpt(speech: Speech, duration_s: float) -> Speech:
    """Return the beginning of what was said."""
    heard = (phoneme for phoneme in speech.phonemes if phoneme.start_s < duration_s)
    phonemes = tuple(Phoneme(p.name, p.start_s, min(p.end_s, duration_s)) for p in heard)
    return Speech(speech.sound[: round(duration_s * SAMPLE_RATE_HZ)], phonemes)


def write_recording(name: str, speech: Speech, folder: Path = FOLDER) -> None:
    """Write ``<name>.wav`` and ``<name>.json``: the sound, and each phoneme's name, start and end in seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    write_wav(folder / f"{name}.wav", speech.sound)
    rows = (json.dumps([p.name, round(p.start_s, 5), round(p.end_s, 5)]) for p in speech.phonemes)
    text = '{"phonemes": [\n' + ",\n".join(rows) + "\n]}\n"
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Speak, and return the exit status: 0 done, 1 after one sentence of error."""
    parser = argparse.ArgumentParser(prog="python -m demo.recording", description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="DIR", help="speak the training takes into it"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        default=script.TRAINING_SECONDS,
        help="of training speech (default %(default)s)",
    )
    arguments = parser.parse_args(argv)
    try:
        if arguments.folder:
            for number, speech in enumerate(script.training(arguments.seconds), start=1):
                _write(f"train_{number}", speech, arguments.folder)
        else:
            _write("served", script.served(), FOLDER)
            _write("heldout", script.heldout(), FOLDER)
            for name, speech in cast.heldout():
                _write(name, speech, FOLDER)
    except DemoError as exc:
        print(f"python -m demo.recording: {exc}", file=sys.stderr)
        return 1
    return 0


def _write(name: str, speech: Speech, folder: Path) -> None:
    write_recording(name, speech, folder)
    print(f"wrote {folder / name}.wav: {speech.duration_s:.2f} s, {len(speech.phonemes)} phonemes")


if __name__ == "__main__":
    sys.exit(main())
