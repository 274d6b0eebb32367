"""benchmarks/gpu/findings.py"""

import json
import os

from benchmarks.gpu.findings import Findings


def test_each_finding_is_a_line():
    """Rows, notes, facts for later steps and the reason of an end go through the pipe one by one."""
    reading, writing = os.pipe()
    findings = Findings(writing, 10.0)
    findings.row("engine", batch=1, **{"frames/s": 2.5})
    findings.note("engine", "a sentence\nof two lines")
    findings.found("bounds", {"fp16": None})
    findings.failed("why")
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert [json.loads(line) for line in pipe] == [
            {"table": "engine", "row": {"batch": 1, "frames/s": 2.5}},
            {"table": "engine", "note": "a sentence\nof two lines"},
            {"key": "bounds", "value": {"fp16": None}},
            {"failed": "why"},
        ]
    assert 9 < findings.left_s <= 10
