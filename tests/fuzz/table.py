"""Every parser that is fuzzed, by name."""

from __future__ import annotations

from tests.fuzz.answers import ANSWERS
from tests.fuzz.files import FILES
from tests.fuzz.parser import Parser
from tests.fuzz.requests import REQUESTS

PARSERS: dict[str, Parser] = {parser.name: parser for parser in (*REQUESTS, *ANSWERS, *FILES)}
