"""embedded/log.py"""

from __future__ import annotations

import asyncio
import logging

import pytest

from embedded.log import KEPT_LINES, LogTail

STAMP = "1122 08:56:59.546448 9634"
HARMLESS = f'E{STAMP} server.cc:241] "CudaDriverHelper has not been initialized."'


async def tail_of(*lines: str) -> LogTail:
    stream = asyncio.StreamReader()
    stream.feed_data("".join(f"{line}\n" for line in lines).encode())
    stream.feed_eof()
    tail = LogTail()
    await tail.forward(stream)
    return tail


async def test_levels(caplog: pytest.LogCaptureFixture) -> None:
    """Triton's letters become levels; what every machine without a GPU says is no error."""
    caplog.set_level(logging.INFO, "embedded.triton")
    lines = [f"I{STAMP} a.cc:1] one", f"W{STAMP} two", f"E{STAMP} three", "plain", HARMLESS]
    await tail_of(*lines)
    assert [record.getMessage() for record in caplog.records] == lines
    assert [record.levelname[0] for record in caplog.records] == ["I", "W", "E", "I", "I"]
    assert {record.name for record in caplog.records} == {"embedded.triton"}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "it left no log"),
        ([f'I{STAMP} server.cc:1] "loading"', ""], "loading"),
        ([HARMLESS, f'I{STAMP} server.cc:1] "loading"'], "loading"),
        ([f'E{STAMP} a/b.cc:10] "first"', f'E{STAMP} b.cc:11] "second"'], "first"),
        (
            [f'E{STAMP} a.cc:10] "poll failed"', f"E{STAMP} b.cc:11] \"failed to load 'x': no file\""],
            "failed to load 'x': no file",
        ),
        (
            [f'I{STAMP} "loading"', "tritonserver: unrecognized option '--nope'"],
            "tritonserver: unrecognized option '--nope'",
        ),
    ],
)
async def test_reason(lines: list[str], reason: str) -> None:
    """The reason is the most telling error, without time stamp and source file, or else the last line."""
    assert (await tail_of(*lines)).reason() == reason


async def test_kept_lines() -> None:
    """Only the end of a long log is kept."""
    tail = await tail_of(*map(str, range(KEPT_LINES + 10)))
    assert list(tail.lines) == [str(number) for number in range(10, KEPT_LINES + 10)]


async def test_line_beyond_the_limit() -> None:
    """A line too long for the stream is replaced, and what follows still arrives."""
    tail = await tail_of("x" * 200_000, "after")
    assert tail.lines[-1] == "after"
    assert "(a line too long to show)" in tail.lines


async def test_bytes_that_are_no_text() -> None:
    """Broken UTF-8 is shown, not raised."""
    stream = asyncio.StreamReader()
    stream.feed_data(b"caf\xe9\n")
    stream.feed_eof()
    tail = LogTail()
    await tail.forward(stream)
    assert list(tail.lines) == ["caf\ufffd"]
