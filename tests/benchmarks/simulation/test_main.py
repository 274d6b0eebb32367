"""benchmarks/simulation/__main__.py"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.simulation import __main__ as command
from benchmarks.simulation.parameters import PATH, Parameters
from benchmarks.simulation.scenarios import Study, Table
from benchmarks.simulation.validate import Compared
from tests.benchmarks.simulation.test_validate import outcome

ROOT = Path(__file__).parents[3]
TABLES = ("cells", "fleets", "limits", "failures", "overload", "caches", "bursts", "validation", "parameters")


@pytest.fixture
def quick(monkeypatch):
    """One table, made at once."""

    def study(known, effort):
        yield Study([Table("cells", "Cells", [{"Tritons": 1, "sessions": known["speech_share"]}])])

    monkeypatch.setattr(command, "study", study)
    monkeypatch.setattr(command, "draw", lambda study, known, folder: f"Pictures: {folder}")


def test_simulates(quick, tmp_path, capsys):
    """Tables are printed, and written with the command, the machine and the date."""
    assert command.main(["--quick", "--output", str(tmp_path)]) == 0
    assert (tmp_path / "cells.csv").read_text() == "Tritons,sessions\n1,0.5\n"
    assert (
        f"`python -m benchmarks.simulation --quick --output {tmp_path}`"
        in (tmp_path / "results.md").read_text()
    )
    printed = capsys.readouterr().out
    assert "| Tritons | sessions |" in printed
    assert printed.endswith(f"{tmp_path / 'results.md'}: the tables\n")


def test_writes_into_a_document(quick, tmp_path):
    """The document's tables are those of this run, its list of parameters that of the file."""
    page = tmp_path / "page.md"
    page.write_text(
        "".join(f"<!-- {name}: begin --><!-- {name}: end -->\n" for name in ("cells", "parameters"))
    )
    assert command.main(["--output", str(tmp_path), "--document", str(page)]) == 0
    assert "| 1 | 0.50 |" in page.read_text()
    assert "| `speech_share` | 0.5 | share |" in page.read_text()


def test_the_document_has_all_marks():
    """docs/scaling.md has a place for each table, and its parameters are those of the file."""
    text = (ROOT / "docs" / "scaling.md").read_text()
    for name in TABLES:
        assert text.count(f"<!-- {name}: begin -->") == text.count(f"<!-- {name}: end -->") == 1
    listed = command._listed(Parameters.read())
    assert listed.strip() in text


def test_calibrates(tmp_path, monkeypatch, capsys):
    """What is measured is written to the file, with its machine and date; the rest stays."""

    async def calibrate(site, seconds):
        return {"hit_core_s": 0.5}

    path = tmp_path / "parameters.json"
    path.write_bytes(PATH.read_bytes())
    monkeypatch.setattr("benchmarks.simulation.calibrate.calibrate", calibrate)
    monkeypatch.setattr("benchmarks.site.prepare_site", lambda folder, names: None)
    assert command.main(["--calibrate", "--parameters", str(path), "--output", str(tmp_path)]) == 0
    before, after = (json.loads(file.read_text()) for file in (PATH, path))
    assert after["hit_core_s"]["value"] == 0.5
    assert " cores of " in after["hit_core_s"]["machine"]
    assert {name for name in before if before[name] != after[name]} == {"hit_core_s"}
    assert capsys.readouterr().out == f"{path}: the parameters\n"


def test_validates(tmp_path, monkeypatch, capsys):
    """Both sides are told, with how many are near one another."""

    def validate(site, known, seconds):
        return [Compared("a load", outcome(100, 0.02), outcome(101, 0.02))]

    monkeypatch.setattr("benchmarks.simulation.validate.validate", validate)
    monkeypatch.setattr("benchmarks.site.prepare_site", lambda folder, names: None)
    assert command.main(["--validate", "--output", str(tmp_path)]) == 0
    assert "2 of 2 rates and medians within 15%" in (tmp_path / "results.md").read_text()
    assert (tmp_path / "validation.csv").read_text().splitlines()[1] == "a load,frames/s,100.0,101.0,+1%"


def test_what_is_wrong_is_one_sentence(tmp_path, capsys):
    """No file of parameters: what was expected, and an exit code of 1."""
    assert command.main(["--parameters", str(tmp_path / "absent.json")]) == 1
    assert capsys.readouterr().err.startswith(
        f"error: {tmp_path / 'absent.json'}: expected a file of JSON, got "
    )


def test_help():
    """Each option says what it does."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.simulation", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for option in (
        "--calibrate",
        "--validate",
        "--quick",
        "--parameters",
        "--output",
        "--document",
        "--images",
    ):
        assert option in done.stdout
