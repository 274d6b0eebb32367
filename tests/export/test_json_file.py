"""export/json_file.py"""

import pytest

from export.errors import BadSource
from export.json_file import read_object, shown


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (None, "a JSON file, got nothing there"),
        (b"[]", "a JSON object, got a list"),
        (b"{", "a JSON object, got text that is not JSON (Expecting property name"),
        (b"\xff\xfe", "a JSON object, got text that is not JSON ('utf-8' codec"),
        (b"[" * 100_000, "a JSON object, got one within another too often"),
        (b'{"a":' * 100_000, "a JSON object, got one within another too often"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "a JSON object, got text that is not JSON (Exceeds the limit"),
        (b" " * (1 << 20) + b"{}", "a file of up to 1 MiB, got 1 MiB"),
    ],
    ids=["absent", "list", "cut", "bytes", "deep list", "deep object", "long number", "large"],
)
def test_odd_files(tmp_path, content, got):
    """Whatever else a file holds, the answer is one sentence."""
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadSource) as caught:
        read_object(path, 1 << 20)
    assert str(caught.value).startswith(f"{path}: expected {got}")
    assert "\n" not in str(caught.value)


def test_an_object(tmp_path):
    """An object is returned as it is."""
    (tmp_path / "a.json").write_text('{"fps": 25}')
    assert read_object(tmp_path / "a.json", 100) == {"fps": 25}


def test_values_in_sentences():
    """What a terminal would obey is spelt out, and what is long is cut."""
    assert shown("a\x1b[2Jb\n") == "a\\x1b[2Jb\\n"
    assert shown("x" * 500) == "x" * 200 + "…"
    assert shown(10**5000) == "a number of thousands of digits"
    assert shown("clip ü.mp4") == "clip ü.mp4"
