"""bridge/front/head.py"""

import pytest

from bridge.errors import BadRequest
from bridge.front.errors import HeadTooLarge
from bridge.front.head import MAX_HEAD_BYTES, read_head

LINE = b"GET /a?b=c HTTP/1.1\r\n"


@pytest.mark.parametrize("received", [b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\n\r"])
def test_incomplete_head(received):
    """A head without its empty line is none yet."""
    assert read_head(received) is None


def test_head():
    """A head is its request line and its fields; what follows it does not count."""
    content = LINE + b"Host: a\r\nX-Two:1 \r\nx-two:\t2\r\nEmpty:\r\n\r\n"
    head = read_head(content + b"Content-Length: 5\r\nUpgrade: websocket\r\n\r\n")
    assert (head.content, head.method, head.target) == (content, "GET", "/a?b=c")
    assert (head.path, head.query) == ("/a", "b=c")
    assert (head.field("host"), head.field("X-Two"), head.field("empty"), head.field("none")) == (
        "a",
        "1, 2",
        "",
        "",
    )
    assert not head.has_body
    assert not head.is_handshake


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("//[", "//["),
        ("http://localhost/health?a", "/health"),
        ("http://localhost", "/"),
        ("https://a:1?b", "/"),
        ("?a", "/"),
        ("/a?b?c", "/a"),
    ],
)
def test_paths(target, path):
    """A target is a path or a whole URL."""
    assert read_head(f"GET {target} HTTP/1.0\r\n\r\n".encode()).path == path


@pytest.mark.parametrize(
    ("field", "has_body"),
    [
        (b"Content-Length: 5", True),
        (b"content-length:5 ", True),
        (b"Content-Length: 0", False),
        (b"Transfer-Encoding: chunked", True),
        (b"TRANSFER-ENCODING:\tgzip, chunked", True),
    ],
)
def test_head_with_a_body(field, has_body):
    """Fields announce a body; a length of 0 announces none. A handshake has none."""
    head = read_head(LINE + field + b"\r\nUpgrade: WebSocket\r\n\r\nhello")
    assert (head.has_body, head.is_handshake) == (has_body, not has_body)


@pytest.mark.parametrize(
    ("received", "sentence"),
    [
        (b"\x16\x03\x01\x02\x00\x01", "request line: expected METHOD TARGET HTTP/1.1, got a TLS handshake"),
        (b"\x00", "request line: expected METHOD TARGET HTTP/1.1, got b'\\x00'"),
        (b"hello\r\n", "request line: expected METHOD TARGET HTTP/1.1, got b'hello'"),
        (b"GET /\r\n", "request line: expected METHOD TARGET HTTP/1.1, got b'GET /'"),
        (b"GET / HTTP/2.0\r\n", "request line: expected METHOD TARGET HTTP/1.1, got b'GET / HTTP/2.0'"),
        (b"GET  / HTTP/1.1\r\n", "request line: expected METHOD TARGET HTTP/1.1, got b'GET  / HTTP/1.1'"),
        (b"GET /\xc3\xa4 HTTP/1.1\r\n", "request line: expected METHOD TARGET HTTP/1.1, got b'GET /"),
        (LINE + b"no colon\r\n\r\n", "header field: expected NAME: VALUE, got b'no colon'"),
        (LINE + b"a: b\r\n folded\r\n\r\n", "header field: expected NAME: VALUE, got b' folded'"),
        (LINE + b"a : b\r\n\r\n", "header field: expected NAME: VALUE, got b'a : b'"),
        (LINE + b"a: b\nc: d\r\n\r\n", "header field: expected NAME: VALUE, got b'a: b\\nc: d'"),
        (LINE + b"a: b\r\n" * 101 + b"\r\n", "header fields: expected at most 100, got 101"),
    ],
)
def test_what_is_no_request(received, sentence):
    """What cannot become a request is refused as soon as that shows."""
    with pytest.raises(BadRequest) as caught:
        read_head(received)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "received", [b"GET /" + b"x" * MAX_HEAD_BYTES, LINE + b"a: b\r\n" * (MAX_HEAD_BYTES // 6)]
)
def test_a_head_without_end(received):
    """A head has a limit."""
    with pytest.raises(HeadTooLarge):
        read_head(received)
