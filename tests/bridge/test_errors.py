"""bridge/errors.py"""

import inspect

import pytest

from bridge import errors
from bridge.errors import BridgeError

EXAMPLES = [
    errors.ConfigError("BRIDGE_PORT", "an integer from 0 to 65535", "x"),
    errors.ListenError("127.0.0.1", 8086, "address already in use"),
    errors.UnresolvableUpstream("dns:///triton:8001", "name or service not known"),
    errors.NoneReadyInTime(5.0, ["a:1", "b:2"]),
    errors.BadRequest("frame_id", "an integer", "'x'"),
    errors.MessageTooLarge(5000, 4096),
    errors.InvalidFrameId("frame_id 9 is outside [0, 8]"),
    errors.UnknownModel("nobody"),
    errors.NoUpstreamReady(0, 2),
    errors.InferTimeout("demo", 2.0),
    errors.UpstreamLost("localhost:8001", "connection refused"),
    errors.PackageRefused("package_dir", "a folder", "'x'"),
    errors.ImportFailed("anna", "a broken video"),
    errors.InternalError("a secret"),
    errors.NoSound("mime"),
    errors.Overloaded("demo"),
    errors.Refused("localhost:8001", "This protocol is restricted"),
    errors.WorkerEnded(-9),
]


def test_every_error_has_an_example_here():
    """The examples below cover every class of the module."""
    members = inspect.getmembers(errors, inspect.isclass)
    classes = {cls for _, cls in members if issubclass(cls, BridgeError)} - {BridgeError}
    assert {type(example) for example in EXAMPLES} == classes


def test_codes_are_distinct():
    """No two errors share a code."""
    codes = [example.code for example in EXAMPLES]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.code)
def test_sentences(error):
    """Every error is a BridgeError, stands in the tree with its code, and ends without a full stop."""
    assert isinstance(error, BridgeError)
    assert any(type(error).__name__ in line and error.code in line for line in errors.__doc__.splitlines())
    assert not str(error).endswith(".")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (EXAMPLES[0], "BRIDGE_PORT: expected an integer from 0 to 65535, got 'x'"),
        (EXAMPLES[1], "expected to listen on port 8086 of 127.0.0.1, got: address already in use"),
        (
            EXAMPLES[2],
            "expected to resolve the host of Triton at dns:///triton:8001, got: name or service not known",
        ),
        (EXAMPLES[3], "expected a Triton to be ready within 5 s, got none at a:1, b:2"),
        (EXAMPLES[-1], "expected a worker to go on, got its end (exit code -9)"),
        (EXAMPLES[4], "frame_id: expected an integer, got 'x'"),
        (EXAMPLES[5], "message: expected at most 4096 bytes, got 5000"),
        (EXAMPLES[7], "expected the name of a loaded model, got 'nobody'"),
        (EXAMPLES[8], "expected a Triton to answer, got none (0 of 2 ready)"),
        (EXAMPLES[9], "expected an answer of model 'demo' within 2 s, got none"),
        (EXAMPLES[10], "expected an answer of Triton at localhost:8001, got: connection refused"),
        (EXAMPLES[11], "package_dir: expected a folder, got 'x'"),
        (EXAMPLES[12], "expected to import 'anna', got: a broken video"),
        (
            errors.NoUpstreamReady(1, 2, True),
            "expected a Triton that knows the model to answer, got none (1 of 2 ready)",
        ),
        (EXAMPLES[15], "expected room in Triton's queue for model 'demo', got none; try again later"),
        (
            EXAMPLES[16],
            "expected Triton to take the bridge's secret (BRIDGE_TRITON_SECRET_FILE), got a refusal",
        ),
        (EXAMPLES[14], "expected an avatar with sound, got 'mime', whose clip is silent"),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_sentences_say_expected_and_got(error, sentence):
    """A sentence says what was expected and what arrived."""
    assert str(error) == sentence


def test_internal_error_keeps_its_secret():
    """What clients read of an internal error does not contain its detail."""
    assert "secret" not in str(errors.InternalError("a secret"))


def test_long_values_are_cut():
    """A value of any length leaves the sentence readable."""
    assert len(errors.shown("x" * 10_000)) == errors.MAX_SHOWN_CHARACTERS
