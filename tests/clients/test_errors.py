"""Every error has a code of its own, a sentence, and survives pickling."""

from __future__ import annotations

import pickle
import re

import pytest

from lipsync_client import errors
from lipsync_client.errors import LipsyncError

EXAMPLES = [
    errors.InvalidUrl("ws://x", "the scheme must be grpc"),
    errors.InvalidSetting("max_inflight", "at least 1", 0),
    errors.TransportNotInstalled("http", "http"),
    errors.ClientClosed("grpc://x:8001"),
    errors.InvalidFrameId("demo", 999, 0, 149),
    errors.UnknownModel("demo", "grpc://x:8001", "not found"),
    errors.ServerUnavailable("grpc://x:8001", "connection refused"),
    errors.InferTimeout("grpc://x:8001", "demo", 2.0),
    errors.InvalidAnswer("demo", "an output 'jpeg'", "none"),
    errors.ServerError("grpc://x:8001", None, "INTERNAL", "out of memory"),
    errors.Overloaded("http://x:8086", "try again later"),
    errors.SpeechRefused("http://x:8086", "cannot_hear", "no audio encoder"),
    errors.SpeechLost("http://x:8086", "no close frame"),
    errors.SpeechTimeout("http://x:8086", "a picture", 2.0),
    errors.BadSound("in.wav", "sound", "none"),
]


def test_there_is_an_example_of_each() -> None:
    """The list of examples leaves no error class out."""
    assert {type(error) for error in EXAMPLES} == set(LipsyncError.__subclasses__())


def test_codes_are_distinct() -> None:
    """No two errors share a code."""
    assert len({error.code for error in EXAMPLES}) == len(EXAMPLES)


def test_the_tree_names_each() -> None:
    """The tree at the top of the module lists every error, and nothing else."""
    assert set(re.findall(r"── (\w+)", errors.__doc__ or "")) == {type(error).__name__ for error in EXAMPLES}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.code)
def test_sentence(error: LipsyncError) -> None:
    """Each sentence begins in lower case, says what arrived, and ends without a full stop."""
    text = str(error)
    assert text[0].islower()
    assert ", got " in text
    assert not text.endswith(".")


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.code)
def test_pickling(error: LipsyncError) -> None:
    """An error crosses a process border with its facts."""
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), vars(copy), str(copy)) == (type(error), vars(error), str(error))


def test_frame_id_sentence() -> None:
    """The commonest error reads as documented."""
    expected = "frame_id of avatar 'demo' must be an integer within [0, 149], got 999"
    assert str(errors.InvalidFrameId("demo", 999, 0, 149)) == expected
