"""bridge/representation.py"""

from http import HTTPStatus

import pytest

from bridge.representation import Conditions, Representation, etag_of, select

CONTENT = bytes(range(100))
TAG = etag_of(CONTENT)
FOUND = Representation("audio/wav", CONTENT, TAG)


def test_etag():
    """An entity tag is strong: quoted, without W/, the same for the same bytes and for no others."""
    assert (TAG[0], TAG[-1], len(TAG)) == ('"', '"', 34)
    assert etag_of(bytes(CONTENT)) == TAG != etag_of(CONTENT[:-1])


def test_all_of_it():
    """Without conditions all of the content is the answer, with its tag and the offer of ranges."""
    selected = select(FOUND, Conditions())
    assert (selected.status, selected.body) == (HTTPStatus.OK, CONTENT)
    assert selected.headers == {"ETag": TAG, "Accept-Ranges": "bytes"}


@pytest.mark.parametrize("value", [TAG, f"W/{TAG}", f'"a", {TAG}', f'W/"a,b" ,W/{TAG},"c"', "*", " * "])
def test_the_client_has_it(value):
    """A tag among those that the client has is 304 without a body, also where a range was asked for."""
    selected = select(FOUND, Conditions(if_none_match=value, byte_range="bytes=0-1"))
    assert (selected.status, selected.body, selected.headers["ETag"]) == (304, b"", TAG)


@pytest.mark.parametrize("value", ['"other"', TAG.strip('"'), "", '"*"'])
def test_the_client_has_another(value):
    """Another tag, or one without quotes, is no reason to leave the body out."""
    assert select(FOUND, Conditions(if_none_match=value)).status == 200


@pytest.mark.parametrize(
    ("byte_range", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=10-", 10, 99),
        ("bytes=99-1000", 99, 99),
        ("bytes=-10", 90, 99),
        ("bytes=-1000", 0, 99),
        ("Bytes= 0-4 ", 0, 4),
    ],
)
def test_ranges(byte_range, first, last):
    """One range is 206 with those bytes and their place in the content."""
    selected = select(FOUND, Conditions(byte_range=byte_range))
    assert (selected.status, selected.body) == (206, CONTENT[first : last + 1])
    assert selected.headers["Content-Range"] == f"bytes {first}-{last}/100"


@pytest.mark.parametrize(
    "byte_range", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=999999999999999999-"]
)
def test_ranges_that_are_not_there(byte_range):
    """A range of which no byte is there is 416, which says how many there are."""
    selected = select(FOUND, Conditions(byte_range=byte_range))
    assert (selected.status, selected.body) == (416, b"")
    assert selected.headers["Content-Range"] == "bytes */100"


@pytest.mark.parametrize(
    "byte_range",
    ["bytes=-", "bytes=5-4", "bytes=0-1,5-6", "items=0-1", "bytes", "bytes=a-b", f"bytes={'9' * 5000}-"],
)
def test_ranges_that_are_ignored(byte_range):
    """Several ranges, or ones that cannot be read, are answered with all of the content."""
    selected = select(FOUND, Conditions(byte_range=byte_range))
    assert (selected.status, selected.body) == (200, CONTENT)
    assert "Content-Range" not in selected.headers


@pytest.mark.parametrize(
    ("if_range", "status"),
    [(TAG, 206), ("", 206), ('"other"', 200), (f"W/{TAG}", 200), ("Wed, 21 Oct 2026 07:28:00 GMT", 200)],
)
def test_a_range_of_the_same_content(if_range, status):
    """A range is wanted only of the content that the client has a part of, by its strong tag."""
    assert select(FOUND, Conditions(byte_range="bytes=0-1", if_range=if_range)).status == status
