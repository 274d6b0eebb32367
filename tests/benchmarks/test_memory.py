"""benchmarks/memory.py; a Triton's in test_main.py"""

import os
import subprocess
import sys

import pytest

from benchmarks.memory import process_tree, triton_bytes


def test_tree():
    """A process and what it started are found."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert {os.getpid(), child.pid} <= set(process_tree(os.getpid()))
        child.communicate(b"\n")


def test_no_server():
    """A port that no tritonserver was given is an error."""
    with pytest.raises(ProcessLookupError, match=r"no tritonserver with --grpc-port=1$"):
        triton_bytes(1)
