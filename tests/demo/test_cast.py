"""demo/cast.py"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from demo import cast
from demo.cast import KNOWN, PEOPLE, AnyVoice, heldout, jumbled, known, people
from demo.festival import FestivalVoice
from demo.flite import FliteVoice
from demo.script import HELD_OUT_VOICE, TRAINING_VOICES
from demo.texts import HELD_OUT, TRAINING
from demo.voices import Phoneme, Speech, Voice


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, AnyVoice]]:
    """What is spoken: each text takes half a second of noise instead."""
    calls: list[tuple[str, AnyVoice]] = []

    def speak(texts: Sequence[str], voice: AnyVoice) -> list[Speech]:
        calls.extend((text, voice) for text in texts)
        noise = np.random.default_rng(0).normal(0, 500, 8000).astype(np.int16)
        return [Speech(noise, (Phoneme("a", 0.0, 0.5),)) for _ in texts]

    monkeypatch.setattr(cast, "say", speak)
    return calls


def test_held_out_voices_are_kept_out(said: list[tuple[str, AnyVoice]]) -> None:
    """No take is said by a voice that is measured, whatever its pace, and none holds a held-out sentence."""
    for takes in (known(), people()):
        assert all(len(take.sound) for take in takes)
    names = {voice.name for _, voice in said}
    assert names.isdisjoint({cast.HELD_OUT_FLITE.name, cast.HELD_OUT_FESTIVAL.name, HELD_OUT_VOICE.name})
    assert {text for text, _ in said}.isdisjoint(HELD_OUT)
    assert {type(voice) for _, voice in said} == {Voice, FliteVoice, FestivalVoice}


def test_each_part_is_said_whole(said: list[tuple[str, AnyVoice]]) -> None:
    """A voice says as many training sentences as its part has, each once, and as many jumbled ones, in short takes."""
    takes = list(people(1))
    (part,) = PEOPLE[:1]
    texts = [text for text, voice in said if voice == part.voice]
    assert len(texts) == part.sentences + part.jumbled
    assert len(set(texts[: part.sentences])) == part.sentences
    assert set(texts[: part.sentences]) <= set(TRAINING)
    assert [len([p for p in take.phonemes if p.name == "a"]) for take in takes] == [20] * 5
    assert [part.voice for part in KNOWN] == list(TRAINING_VOICES)


def test_jumbled_sentences() -> None:
    """They hold 5 to 10 words of the training sentences, are the same for the same seed and others for another."""
    first = jumbled(1, 50)
    words = {word.strip(".,;:!?") for text in TRAINING for word in text.split()}
    assert all(5 <= len(text.split()) <= 10 for text in first)
    assert {word.strip(".,") for text in first for word in text.split()} <= words
    assert len({text.count(",") for text in first}) == 2
    assert first == jumbled(1, 50)
    assert set(first).isdisjoint(jumbled(2, 50))


def test_what_is_measured_is_the_held_out_sentences(said: list[tuple[str, AnyVoice]]) -> None:
    """The recordings that ship hold both sentences, said by each held-out voice."""
    assert [name for name, _ in heldout()] == ["heldout_flite", "heldout_festival"]
    assert [text for text, _ in said] == [*HELD_OUT, *HELD_OUT]


def test_each_synthesiser_is_asked_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Festival gets all texts at once, the others one at a time."""
    calls: list[tuple[str, object]] = []
    monkeypatch.setattr(
        cast.festival, "speak_all", lambda texts, voice: calls.append(("festival", tuple(texts)))
    )
    monkeypatch.setattr(cast.flite, "speak", lambda text, voice: calls.append(("flite", text)))
    monkeypatch.setattr(cast.voices, "speak", lambda text, voice: calls.append(("espeak", text)))
    for voice in (FestivalVoice(name="f"), FliteVoice(name="l"), Voice(name="e")):
        cast.say(["a", "b"], voice)
    assert calls == [
        ("festival", ("a", "b")),
        ("flite", "a"),
        ("flite", "b"),
        ("espeak", "a"),
        ("espeak", "b"),
    ]
