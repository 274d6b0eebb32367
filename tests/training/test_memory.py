"""training/memory.py"""

from __future__ import annotations

import resource
import subprocess
import sys

SCRIPT = """
import resource, sys, torch
from training.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def work():
    for _ in range(5):
        torch.ones(20_000_000)  # 80 MB, taken and freed
for _ in range(8):
    work()  # the heap has to grow first
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", SCRIPT, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_freed_memory_is_used_again() -> None:
    """Grown once, the heap gives five tensors of 80 MB, one after another, without a page fault for each page."""
    assert page_faults("keep") < 80_000_000 // resource.getpagesize() < page_faults("leave")
