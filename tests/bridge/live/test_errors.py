"""bridge/live/errors.py"""

import pytest

from bridge.errors import (
    BadRequest,
    InferTimeout,
    InternalError,
    MessageTooLarge,
    NoUpstreamReady,
    Overloaded,
    UnknownModel,
)
from bridge.live.errors import (
    CannotHear,
    IdleTooLong,
    NoRoom,
    ShuttingDown,
    SlowClient,
    TooMuchSound,
    close_code,
)

SENTENCES = {
    CannotHear("anna"): (
        "cannot_hear",
        "expected an avatar that can be spoken to, got 'anna', imported without an audio encoder",
    ),
    NoRoom("of this bridge", 3): (
        "overloaded",
        "expected room for one more live session, got 3 of this bridge already; try again later",
    ),
    TooMuchSound(61.04, 60.0): (
        "too_much_sound",
        "expected at most 60 s of sound that is not shown yet, got 61.0 s",
    ),
    IdleTooLong(300.0): ("idle_timeout", "expected a message within 300 s, got none"),
    SlowClient(0.5): (
        "slow_client",
        "expected the client to read its pictures within 0.5 s, got no room for more",
    ),
    ShuttingDown(): ("shutting_down", "expected to go on, got a bridge that is being stopped; connect again"),
}
CODES = {
    BadRequest("a", "b", "c"): 1008,
    UnknownModel("a"): 1008,
    CannotHear("a"): 1008,
    TooMuchSound(2, 1): 1008,
    IdleTooLong(1): 1008,
    MessageTooLarge(2, 1): 1009,
    NoRoom("sessions", 1): 1013,
    Overloaded("a"): 1013,
    NoUpstreamReady(0, 1): 1013,
    InferTimeout("a", 1): 1013,
    ShuttingDown(): 1001,
    InternalError("a"): 1011,
}


@pytest.mark.parametrize("error", SENTENCES, ids=lambda error: error.code)
def test_sentences(error):
    """Each error has a code for programs, and a sentence that says what was expected and what came."""
    assert (error.code, str(error)) == SENTENCES[error]


@pytest.mark.parametrize("error", CODES, ids=lambda error: type(error).__name__)
def test_close_codes(error):
    """The connection is closed with 1008 where the client is wrong, 1013 where it may try again later."""
    assert close_code(error) == CODES[error]
