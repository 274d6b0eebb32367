"""What the simulation is fed with: one checked-in file of values, each with its unit and where it is from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.errors import BadParameters

__all__ = ["KINDS", "PATH", "Parameter", "Parameters", "Value"]

PATH = Path(__file__).with_name("parameters.json")

KINDS = ("measured", "assumed", "setting")
"""``setting`` is a default of this project or of Kubernetes."""

FIELDS = ("value", "unit", "kind", "meaning", "source", "machine", "date")

Value = float | list[float]


@dataclass(frozen=True)
class Parameter:
    """One value.

    Attributes:
        value: A number, or a list of them.
        unit: What it counts.
        kind: One of KINDS.
        meaning: One line.
        source: The command that measures it, or whence the assumption is.
        machine: What it was measured on; empty where it was not.
        date: When it was measured or assumed: YYYY-MM-DD.
    """

    value: Value
    unit: str
    kind: str
    meaning: str
    source: str
    machine: str
    date: str


class Parameters(Mapping[str, float]):
    """The file's numbers by name: ``parameters["frame_core_s"]``; lists are of ``values``."""

    def __init__(self, known: Mapping[str, Parameter]) -> None:
        self.known = dict(known)

    @classmethod
    def read(cls, path: Path = PATH) -> Parameters:
        """Read a file of parameters.

        Raises:
            BadParameters: If it is not one, or an entry is not complete.
        """
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise BadParameters(str(path), "a file of JSON", str(exc)) from exc
        if not isinstance(entries, dict):
            raise BadParameters(str(path), "an object of parameters", type(entries).__name__)
        return cls({name: _parameter(f"{path.name}: {name}", entry) for name, entry in entries.items()})

    def write(self, path: Path = PATH) -> None:
        """Write them all."""
        entries = {name: asdict(parameter) for name, parameter in self.known.items()}
        path.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def measured(self, values: Mapping[str, Value], *, source: str, machine: str, date: str) -> Parameters:
        """Return these with some measured anew.

        Raises:
            BadParameters: If one is not among them.
        """
        known = dict(self.known)
        for name, value in values.items():
            entry = replace(self._find(name), value=value, source=source, machine=machine, date=date)
            known[name] = replace(entry, kind="measured")
        return Parameters(known)

    def values_of(self, name: str) -> list[float]:
        """Return a list.

        Raises:
            BadParameters: If it is not one.
        """
        value = self._find(name).value
        if not isinstance(value, list):
            raise BadParameters(name, "a list of numbers", repr(value))
        return value

    def __getitem__(self, name: str) -> float:
        value = self._find(name).value
        if isinstance(value, list):
            raise BadParameters(name, "a number", repr(value))
        return value

    def __iter__(self) -> Any:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)

    def _find(self, name: str) -> Parameter:
        if name not in self.known:
            raise BadParameters(name, "a parameter of the file", "none of that name")
        return self.known[name]


def _parameter(where: str, entry: Any) -> Parameter:
    if not isinstance(entry, dict) or set(entry) != set(FIELDS):
        got = ", ".join(entry) if isinstance(entry, dict) else repr(entry)
        raise BadParameters(where, ", ".join(FIELDS), got)
    if entry["kind"] not in KINDS:
        raise BadParameters(where, f"kind {', '.join(KINDS)}", repr(entry["kind"]))
    values = entry["value"] if isinstance(entry["value"], list) else [entry["value"]]
    if not values or not all(_is_number(value) for value in values):
        raise BadParameters(where, "a value of numbers from 0 on", repr(entry["value"]))
    return Parameter(**entry)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
