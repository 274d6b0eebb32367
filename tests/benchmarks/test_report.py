"""benchmarks/report.py"""

from benchmarks.machine import today
from benchmarks.report import Report


def test_report(tmp_path, capsys):
    """Each table is printed and lies in a CSV at once; the Markdown has date, command, machine and every table."""
    report = Report(tmp_path / "new" / "results", "python -m benchmarks --quick")
    report.add("sweep", "By callers", [{"callers": 1, "frames/s": 2.5}], ["a note"])
    assert "| 1 | 2.50 |" in capsys.readouterr().out
    assert (report.folder / "sweep.csv").read_text() == "callers,frames/s\n1,2.5\n"
    text = report.write().read_text()
    assert text.startswith(f"{today()}, `python -m benchmarks --quick`\n\n")
    assert "### By callers\n\n| callers | frames/s |\n" in text
    assert text.endswith("a note\n")
