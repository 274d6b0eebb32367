"""bridge/front/memory.py"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
FILL_AND_EMPTY = """
from bridge.front.memory import give_memory_back
assert give_memory_back()
def size_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
before = size_mb()
long, small = [], []
for _ in range(300):
    long.append(bytearray(1_000_000))
    small.append(bytearray(60_000))
full = size_mb()
del long, small[::2]
print(full - before > 250, size_mb() - before < 30)
"""


def test_memory_is_given_back():
    """What long messages took is the system's again once they are gone, whatever short ones lie between."""
    answer = subprocess.run(
        [sys.executable, "-c", FILL_AND_EMPTY], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert answer.stdout == "True True\n"
