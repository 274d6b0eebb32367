"""benchmarks/simulation/parameters.py, and the file"""

import json

import pytest

from benchmarks.errors import BadParameters
from benchmarks.simulation.parameters import KINDS, PATH, Parameters

ENTRY = {
    **{"value": 1.5, "unit": "s", "kind": "measured", "meaning": "a time"},
    **{"source": "a command", "machine": "m", "date": "2026-11-27"},
}


def read(tmp_path, content):
    path = tmp_path / "parameters.json"
    path.write_text(content)
    return Parameters.read(path)


def test_the_file_says_where_each_is_from():
    """Each has a unit, a line of meaning, a source and a date; what was measured, its machine."""
    known = Parameters.read().known
    for name, entry in known.items():
        assert entry.unit, name
        assert entry.meaning, name
        assert entry.source, name
        assert entry.date, name
        assert entry.kind != "measured" or entry.machine, name
    assert {entry.kind for entry in known.values()} == set(KINDS)


def test_written_as_read(tmp_path):
    """The file is what writing makes of it, so that calibrating changes only what was measured."""
    Parameters.read().write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == PATH.read_text()


def test_measured_anew(tmp_path):
    """New values come with their source, machine and date, and others stay."""
    known = read(tmp_path, json.dumps({"a_s": ENTRY, "b_s": ENTRY}))
    found = known.measured({"a_s": 2.5}, source="again", machine="other", date="2026-12-01")
    assert (found["a_s"], found["b_s"], len(found), list(found)) == (2.5, 1.5, 2, ["a_s", "b_s"])
    assert (found.known["a_s"].source, found.known["a_s"].machine, found.known["a_s"].unit) == (
        "again",
        "other",
        "s",
    )
    with pytest.raises(BadParameters, match="c_s: expected a parameter of the file, got none of that name"):
        known.measured({"c_s": 1.0}, source="", machine="", date="")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "parameters.json: expected a file of JSON, got Expecting"),
        ("[]", "parameters.json: expected an object of parameters, got list"),
        (
            '{"a_s": 3}',
            "parameters.json: a_s: expected value, unit, kind, meaning, source, machine, date, got 3",
        ),
        (
            json.dumps({"a": ENTRY | {"kind": "guessed"}}),
            "a: expected kind measured, assumed, setting, got 'guessed'",
        ),
        (
            json.dumps({"a": ENTRY | {"value": "much"}}),
            "a: expected a value of numbers from 0 on, got 'much'",
        ),
        (json.dumps({"a": ENTRY | {"value": -1}}), "a: expected a value of numbers from 0 on, got -1"),
        (json.dumps({"a": ENTRY | {"value": []}}), r"a: expected a value of numbers from 0 on, got \[\]"),
    ],
)
def test_what_is_no_file_of_parameters(tmp_path, content, sentence):
    """One sentence says what was expected, and where."""
    with pytest.raises(BadParameters, match=sentence):
        read(tmp_path, content)


def test_lists_and_numbers_are_not_mixed_up(tmp_path):
    """A list is asked for as one."""
    known = read(tmp_path, json.dumps({"one": ENTRY, "many": ENTRY | {"value": [1, 2]}}))
    assert known.values_of("many") == [1, 2]
    with pytest.raises(BadParameters, match=r"one: expected a list of numbers, got 1\.5"):
        known.values_of("one")
    with pytest.raises(BadParameters, match=r"many: expected a number, got \[1, 2\]"):
        known["many"]
    with pytest.raises(BadParameters, match="absent: expected a parameter of the file"):
        known["absent"]
    with pytest.raises(BadParameters, match="No such file"):
        Parameters.read(tmp_path / "absent.json")
