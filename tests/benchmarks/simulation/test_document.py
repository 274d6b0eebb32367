"""benchmarks/simulation/document.py"""

import pytest

from benchmarks.errors import BadParameters
from benchmarks.simulation.document import replace_tables

TEXT = "before\n<!-- a: begin -->\nold\n<!-- a: end -->\nbetween\n<!-- b: begin --><!-- b: end -->\nafter\n"


def test_between_the_marks(tmp_path):
    """Only what is between is written anew, and twice is as once."""
    path = tmp_path / "page.md"
    path.write_text(TEXT)
    for _ in range(2):
        replace_tables(path, {"a": "new\n", "b": "more"})
    assert path.read_text() == (
        "before\n<!-- a: begin -->\n\nnew\n\n<!-- a: end -->\nbetween\n"
        "<!-- b: begin -->\n\nmore\n\n<!-- b: end -->\nafter\n"
    )


def test_without_marks(tmp_path):
    """A document without them is left as it was."""
    path = tmp_path / "page.md"
    path.write_text(TEXT)
    with pytest.raises(
        BadParameters, match="expected <!-- c: begin --> and <!-- c: end -->, got a document without"
    ):
        replace_tables(path, {"a": "new", "c": "new"})
    assert path.read_text() == TEXT
    with pytest.raises(BadParameters, match="expected a document, got No such file"):
        replace_tables(tmp_path / "absent.md", {})
