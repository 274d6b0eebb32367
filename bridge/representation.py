"""What HTTP says of one content: whether the client has it already, and which part of it was asked for (RFC 9110).

Pure: values of header fields in, status, header fields and body out.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from http import HTTPStatus

__all__ = ["Conditions", "Representation", "Selected", "etag_of", "select"]

ETAG = re.compile(r'(?:W/)?("[^"]*")')
BYTE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


@dataclass(frozen=True)
class Representation:
    """A content with its type and its strong entity tag, quotes included."""

    content_type: str
    content: bytes
    etag: str


@dataclass(frozen=True)
class Conditions:
    """The request's header fields that choose an answer; an absent one is empty."""

    if_none_match: str = ""
    byte_range: str = ""
    if_range: str = ""


@dataclass(frozen=True)
class Selected:
    """The answer: all of the content, a part of it, or nothing (304, or 416 when the part is not there)."""

    status: HTTPStatus
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def etag_of(content: bytes) -> str:
    """Return a strong entity tag: the same for the same bytes, whoever made them and when."""
    return f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'


def select(representation: Representation, conditions: Conditions) -> Selected:
    """Return what a GET with these conditions is answered with.

    Several ranges, or ones that cannot be read, are answered with all of the content, as RFC 9110 allows.
    """
    content, etag = representation.content, representation.etag
    headers = {"ETag": etag, "Accept-Ranges": "bytes"}
    if _has_it(conditions.if_none_match, etag):
        return Selected(HTTPStatus.NOT_MODIFIED, b"", headers)
    asked = _read_range(conditions.byte_range, len(content))
    if asked is None or conditions.if_range not in ("", etag):
        return Selected(HTTPStatus.OK, content, headers)
    if not asked:
        headers["Content-Range"] = f"bytes */{len(content)}"
        return Selected(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"", headers)
    headers["Content-Range"] = f"bytes {asked.start}-{asked.stop - 1}/{len(content)}"
    return Selected(HTTPStatus.PARTIAL_CONTENT, content[asked.start : asked.stop], headers)


def _has_it(if_none_match: str, etag: str) -> bool:
    # weak comparison: a proxy that compresses makes a strong tag a weak one
    return if_none_match.strip() == "*" or etag in ETAG.findall(if_none_match)


def _read_range(text: str, length: int) -> range | None:
    """Return the bytes that are asked for, an empty range if none of them is there, None for all of the content."""
    match = BYTE_RANGE.fullmatch(text)
    if match is None or match.group(1, 2) == ("", ""):
        return None
    first, last = match.groups()
    if not first:  # the last so many
        return range(max(0, length - int(last)), length)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(length, int(last) + 1) if last else length)
