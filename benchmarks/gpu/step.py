"""One step of a run, in a process of its own: ``python -m benchmarks.gpu.step PIPE LIMIT_S MODULE SETTINGS ARGUMENTS``.

The run starts it, reads its findings from the pipe, and ends it when its time is over. The module has a ``measure``; it
is imported here only, as what one step needs another may do without.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Sequence

from benchmarks.gpu.findings import Findings
from benchmarks.gpu.settings import Settings

__all__ = ["main"]

REASON_CHARACTERS = 300


def main(argv: Sequence[str] | None = None) -> int:
    """Make the step; return 0, or 1 after its reason went through the pipe."""
    pipe, limit_s, name, settings, arguments = sys.argv[1:] if argv is None else argv
    findings = Findings(int(pipe), float(limit_s))
    try:
        module = importlib.import_module(name)
        module.measure(Settings.from_json(settings), findings, **json.loads(arguments))
    except (Exception, SystemExit) as exc:  # whatever it is, it is this step's only, and the others go on
        traceback.print_exc()
        findings.failed(_sentence(exc))
        return 1
    return 0


def _sentence(exc: BaseException) -> str:
    text = " ".join(str(exc).split()) or "no reason given"
    kind = (
        ""
        if type(exc).__module__.startswith(("benchmarks", "export", "embedded"))
        else f"{type(exc).__name__}: "
    )
    return f"{kind}{text[:REASON_CHARACTERS]}"


if __name__ == "__main__":
    sys.exit(main())
