"""benchmarks/gpu/journal.py"""

import json

from benchmarks.gpu.journal import LINES, LOG, LOG_CHARACTERS, MARKDOWN, Journal


def test_each_row_is_on_the_disk_at_once(tmp_path):
    """After each row both files hold all that was found, and no part of a file lies about."""
    journal = Journal(tmp_path / "results", "2026-11-27, `a command`\n")
    for batch in (1, 2):
        journal.add_row("engine", {"batch": batch, "frames/s": 10.0 * batch})
        lines = (tmp_path / "results" / LINES).read_text().splitlines()
        assert json.loads(lines[-1]) == {"table": "engine", "row": {"batch": batch, "frames/s": 10.0 * batch}}
        assert f"| {batch} | {10.0 * batch:.1f} |" in journal.markdown.read_text()
    journal.add_note("engine", "One sentence.")
    text = journal.markdown.read_text()
    assert text.startswith("2026-11-27, `a command`\n\n### The engine alone\n")
    assert text.endswith("One sentence.\n")
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == sorted([LINES, LOG, MARKDOWN])


def test_computed_rows_have_no_lines(tmp_path):
    """What is computed from other rows is in the tables only."""
    journal = Journal(tmp_path, "")
    journal.set_rows("goals", [{"goal": "much"}])
    assert "| much |" in journal.markdown.read_text()
    assert (tmp_path / LINES).read_text() == ""


def test_values(tmp_path):
    """A column's numbers are those of the rows that have the cells asked for; text counts as none."""
    journal = Journal(tmp_path, "")
    for strategy, rate in (("hybrid", 5.0), ("hybrid", ""), ("latency", 7.0)):
        journal.add_row("served", {"strategy": strategy, "frames/s": rate})
    assert journal.values("served", "frames/s", strategy="hybrid") == [5.0]
    assert journal.values("served", "p99_ms") == []


def test_the_log_keeps_ends(tmp_path):
    """Of what a step's process said the end is kept, and nothing of one that said nothing."""
    journal = Journal(tmp_path, "")
    journal.add_log("quiet", " \n")
    journal.add_log("loud", "x" * LOG_CHARACTERS + "the end\n")
    text = (tmp_path / LOG).read_text()
    assert text.startswith("=== loud\nxxx")
    assert text.endswith("xthe end\n")
    assert len(text) <= LOG_CHARACTERS + len("=== loud\n\n")


def test_an_earlier_run_is_replaced(tmp_path):
    """Results of an earlier run in the same folder are not mixed with new ones."""
    Journal(tmp_path, "").add_row("engine", {"batch": 1})
    Journal(tmp_path, "")
    assert (tmp_path / LINES).read_text() == ""
    assert "batch" not in (tmp_path / MARKDOWN).read_text()
