"""bridge/request_id.py"""

import pytest
from websockets.datastructures import Headers

from bridge.request_id import of_http, taken_or_new


def test_an_offered_id_is_kept():
    """An id of letters, digits and the marks that common kinds of ids have is taken as it is."""
    for offered in ("a", "0af7651916cd43dd8448eb211c80319c", "req:1/2_3.4-5+6=", "x" * 64):
        assert taken_or_new(offered) == offered


@pytest.mark.parametrize("offered", [None, "", "a b", "a\n", "x" * 65, "ä", '"'])
def test_anything_else_is_replaced(offered):
    """What could forge a log line or a header, or is missing, is replaced by a new id each time."""
    first, second = taken_or_new(offered), taken_or_new(offered)
    assert first != second
    assert len(first) == 16


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/ws", {"X-Request-ID": "a"}, "a"),
        ("/ws?request_id=b", {}, "b"),
        ("/ws?request_id=b", {"x-request-id": "a"}, "a"),
        ("/ws?request_id=c&request_id=d", {}, "c"),
    ],
)
def test_of_http(path, headers, expected):
    """The header wins over the query."""
    assert of_http(path, Headers(headers)) == expected


def test_two_headers_count_as_none():
    """Ids that contradict each other are replaced."""
    assert of_http("/ws", Headers([("X-Request-ID", "a"), ("X-Request-ID", "b")])) not in ("a", "b")
