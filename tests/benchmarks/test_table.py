"""benchmarks/table.py"""

from benchmarks.table import to_markdown, write_csv

ROWS = [
    {"what": "a", "frames/s": 1234.567, "p50_ms": 0.1234},
    {"what": "b", "frames/s": 12.345, "callers": 3},
]


def test_markdown():
    """Columns are those of the first row; numbers have two decimals below 10, one below 1,000, else none."""
    assert to_markdown(ROWS) == (
        "| what | frames/s | p50_ms |\n| --- | --- | --- |\n| a | 1,235 | 0.12 |\n| b | 12.3 |  |\n"
    )


def test_nothing():
    """No rows are said to be none."""
    assert to_markdown([]) == "(no rows)\n"


def test_csv(tmp_path):
    """A CSV has a header and unrounded numbers, and columns of every row."""
    write_csv(tmp_path / "t.csv", ROWS)
    assert (tmp_path / "t.csv").read_text() == (
        "what,frames/s,p50_ms,callers\na,1234.567,0.1234,\nb,12.345,,3\n"
    )
