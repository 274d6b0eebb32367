"""bridge/response.py"""

import json
from http import HTTPStatus

from bridge.access.errors import WrongHost
from bridge.response import error_response, preflight_response, response_of, shared


def test_what_every_answer_says():
    """Every answer forbids a browser what no answer of the bridge is for."""
    fields = response_of(HTTPStatus.OK, "text/html", b"<p>").headers
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert fields["X-Frame-Options"] == "DENY"
    assert fields["Referrer-Policy"] == "no-referrer"
    assert fields["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "default-src 'none'" in fields["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in fields["Content-Security-Policy"]
    assert "unsafe" not in fields["Content-Security-Policy"]


def test_an_error():
    """An error is a status and a JSON object."""
    response = error_response(WrongHost("a"))
    assert response.status_code == 421
    assert json.loads(response.body)["code"] == "wrong_host"


def test_what_a_listed_site_may_read():
    """An answer to a listed site names it, and caches keep it for that site alone."""
    fields = shared(preflight_response(), "https://a.example").headers
    assert (fields["Access-Control-Allow-Origin"], fields["Vary"]) == ("https://a.example", "Origin")
    assert "Authorization" in fields["Access-Control-Allow-Headers"]
    assert "ETag" in fields["Access-Control-Expose-Headers"]
    assert "Content-Length" not in fields
