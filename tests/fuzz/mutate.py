"""Inputs made of seeds by small damages, each a function of the seeds, a number and an index: it can be made again."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

MAX_BYTES = 1 << 16
NUMBERS = (0, 1, 2, 7, 8, 16, 127, 128, 255, 256, 4095, 32767, 32768, 65535, 65536)
NUMBERS += (2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
VALUES = (
    *("0", "-0", "-1", "1", "1.5", "1e3", "1e300", "1e999", "-1e999", "NaN", "Infinity", "-Infinity"),
    *(
        "2147483647",
        "2147483648",
        "4294967296",
        "9223372036854775808",
        "9" * 30,
        "9" * 400,
        "9" * 5000,
        "0." + "0" * 400 + "1",
    ),
    *(
        "true",
        "false",
        "null",
        "[]",
        "{}",
        "[[]]",
        '{"a": 1}',
        '""',
        '"\\u0000"',
        '"\\ud800"',
        '"\\udfff\\ud800"',
    ),
    *(
        '"' + "a" * 300 + '"',
        '"é"',
        '"\U0001f600"',
        '"../../etc/passwd"',
        '"/dev/null"',
        "[" * 2000,
        '{"a":' * 1500,
    ),
)
TOKENS = (
    *(
        b"\x00",
        b"\xff\xd8",
        b"\xff",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b" ",
        b"\t",
        b",",
        b":",
        b"..",
        b"/",
        b"%00",
        b"%2f",
    ),
    *(
        b"\xc3\xa9",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xf0\x9f\x98\x80",
        b"\\u0000",
        b"[" * 200,
        b"{" * 200,
        b'"',
    ),
)
TEXT_VALUE = re.compile(rb'"[^"\\]*"|-?[0-9][0-9.eE+-]*|\btrue\b|\bfalse\b|\bnull\b|\[\]|\{\}')

Damage = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def mutated(seeds: Sequence[bytes], number: int, index: int) -> bytes:
    """Return input ``index`` of the series ``number``: a seed, most often with one to four damages."""
    rng = random.Random(number * 1_000_003 + index)
    if rng.random() < 0.01:
        return rng.randbytes(rng.randrange(64))
    content = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        rng.choice(DAMAGES)(rng, content, seeds)
    return bytes(content[:MAX_BYTES] if len(content) > MAX_BYTES > max(map(len, seeds)) else content)


def _place(rng: random.Random, content: bytearray) -> int:
    """Return where to damage: a header's beginning as often as anywhere else."""
    return rng.randrange(min(len(content), 64) + 1) if rng.random() < 0.4 else rng.randrange(len(content) + 1)


def _flip(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    if content:
        content[min(_place(rng, content), len(content) - 1)] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    if content:
        content[min(_place(rng, content), len(content) - 1)] = rng.randrange(256)


def _insert(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    place = _place(rng, content)
    content[place:place] = rng.choice(TOKENS) if rng.random() < 0.7 else rng.randbytes(rng.randrange(1, 9))


def _remove(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    place = _place(rng, content)
    del content[place : place + rng.choice((1, 1, 2, 4, 16, 256))]


def _double(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    place, size = _place(rng, content), rng.choice((1, 2, 4, 16, 64, 512))
    content[place:place] = content[place : place + size] * rng.choice((1, 2, 8))


def _splice(rng: random.Random, content: bytearray, seeds: Sequence[bytes]) -> None:
    other, place = rng.choice(seeds), _place(rng, content)
    content[place:] = other[rng.randrange(len(other) + 1) :]


def _cut(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    del content[_place(rng, content) :]


def _number(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    size, place = rng.choice((1, 2, 4, 8)), _place(rng, content)
    number = rng.choice(NUMBERS) % (1 << 8 * size)
    content[place : place + size] = number.to_bytes(size, rng.choice(("little", "big")))


def _value(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    """Put another value, as JSON and people write them, in the place of one."""
    found = [match.span() for match in TEXT_VALUE.finditer(content)]
    if found:
        start, end = rng.choice(found)
        content[start:end] = rng.choice(VALUES).encode()


DAMAGES: tuple[Damage, ...] = (_flip, _set, _insert, _remove, _double, _splice, _cut, _number, _value, _value)
