"""benchmarks/gpu/step.py; in a process of its own in test_process.py"""

import json
import os

from benchmarks.gpu.settings import STAND_IN, Settings
from benchmarks.gpu.step import REASON_CHARACTERS, main

SETTINGS = Settings(site="/nowhere", device=STAND_IN).to_json()


def run(how):
    reading, writing = os.pipe()
    name = "tests.benchmarks.gpu.steps.stand_in_steps"
    code = main([str(writing), "10", name, SETTINGS, json.dumps({"how": how})])
    os.close(writing)
    with os.fdopen(reading) as pipe:
        return code, [json.loads(line) for line in pipe]


def test_a_step_is_made():
    """The module's ``measure`` gets settings, findings and arguments."""
    code, told = run("done")
    assert (code, told[0]["row"]["device"]) == (0, STAND_IN)


def test_a_reason_is_one_line(capsys):
    """However long and of how many lines an error is, its reason is one, and the traceback is on the log."""
    code, told = run("fail")
    assert (code, told[-1]) == (1, {"failed": "this step is skipped: of no use"})
    assert "Traceback" in capsys.readouterr().err
    code, told = run("x" * 1000)
    assert len(told[-1]["failed"]) <= REASON_CHARACTERS + len("KeyError: ")
