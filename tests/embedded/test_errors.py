"""embedded/errors.py"""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from embedded import errors

EXAMPLES = {
    "BadSetting": (("processes", "1 to 20", 0), "processes: expected 1 to 20, got 0"),
    "NotInstalled": (("the server", "install it"), "the server is not installed: install it"),
    "PortInUse": (
        ("127.0.0.1", 8000),
        "expected 127.0.0.1:8000 to be free for Triton, but something has it already",
    ),
    "SecretNotWritten": (
        (Path("/dev/shm/secret"), "permission denied"),
        "expected to write Triton's secret to /dev/shm/secret, got: permission denied; "
        "--control-secret-file takes a file of yours",
    ),
    "StartCrashed": (("was ended by SIGABRT",), "Triton was ended by SIGABRT"),
    "StartFailed": (("exited with code 1: no luck",), "Triton exited with code 1: no luck"),
}


def test_every_error_has_an_example() -> None:
    """The examples below cover every error of the package, and all share its base."""
    assert sorted([*EXAMPLES, "EmbeddedError"]) == sorted(errors.__all__)
    assert all(issubclass(getattr(errors, name), errors.EmbeddedError) for name in EXAMPLES)


def test_tree_is_in_the_docstring() -> None:
    """The tree at the top of the module names every error."""
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in errors.__all__)


@pytest.mark.parametrize("name", EXAMPLES)
def test_sentence(name: str) -> None:
    """Each error says one sentence, and does so after pickling too."""
    arguments, sentence = EXAMPLES[name]
    error = getattr(errors, name)(*arguments)
    assert str(error) == str(pickle.loads(pickle.dumps(error))) == sentence
