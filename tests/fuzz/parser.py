"""What is fuzzed: a parser with what it may raise, and the inputs to begin with."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["KEPT", "Parser", "on_file"]

KEPT = Path(__file__).with_name("corpus")
"""Inputs that once were a fault, a folder for each parser; run by the tests from then on."""

QUICK, SLOW = 1_000_000, 20_000
LONGEST_SENTENCE = 2_000


@dataclass(frozen=True, kw_only=True)
class Parser:
    """A parser.

    Attributes:
        name: What it is called on the command line, and its folder of kept inputs.
        parse: Takes an input; asserts what is to hold of an answer.
        refuses: Exceptions that are a refusal; any other is a fault.
        seeds: Makes the inputs to begin with.
        runs: How many inputs a whole run has.
        encoding: How its sentences are encoded where they go: ``strict`` on a wire, ``backslashreplace`` on a terminal.
    """

    name: str
    parse: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]
    seeds: Callable[[], list[bytes]]
    runs: int = QUICK
    encoding: str = "strict"

    def kept(self) -> list[Path]:
        """Return the files of inputs that once were a fault."""
        return sorted(path for path in (KEPT / self.name).glob("*") if path.is_file())

    def try_it(self, content: bytes) -> bool:
        """Parse an input; return whether it was taken.

        Raises:
            Exception: If it is neither taken nor refused in one sentence.
        """
        try:
            self.parse(content)
        except self.refuses as exc:
            sentence = str(exc)
            assert sentence.strip(), "a refusal without a sentence"
            assert len(sentence) < LONGEST_SENTENCE, f"a sentence of {len(sentence)} characters"
            sentence.encode(errors=self.encoding)
            return False
        return True


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm")


def on_file(parse: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """Return a parser of bytes that has a file of them parsed."""

    def parse_bytes(content: bytes) -> object:
        path = Path(_folder().name) / name
        path.write_bytes(content)
        return parse(path)

    return parse_bytes
