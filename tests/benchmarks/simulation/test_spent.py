"""benchmarks/simulation/spent.py"""

import os
import subprocess
import sys
import time

from benchmarks.simulation.spent import Spent, process_cpu_s

BURN = "import time\nwhile time.process_time() < {}: pass\nprint(flush=True)\ninput()"


def test_what_others_spend():
    """Of two processes the greater share comes first; main threads are all there is of them."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BURN.format(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for seconds in (0.4, 0.1)
    ]
    spent = Spent([process.pid for process in processes])
    for process in processes:
        process.stdout.readline()
    more, less = spent.each_s()
    for process in processes:
        process.communicate(b"\n")
    assert 0.3 < more < 0.7
    assert less < more
    assert process_cpu_s(processes[0].pid) == 0.0


def test_main_threads_are_a_part():
    """What a thread beside the main one spends is not the main one's."""
    code = "import threading, time\n" + "def burn():\n while time.thread_time() < 0.3: pass\n"
    code += "t = threading.Thread(target=burn); t.start(); t.join()\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        spent = Spent([process.pid])
        process.stdout.readline()
        assert spent.all_s() - spent.main_s() > 0.2
        process.communicate(b"\n")


def test_what_this_process_spends():
    """Its own time grows while it computes."""
    spent, end_s = Spent([os.getpid()]), time.process_time() + 0.1
    while time.process_time() < end_s:
        pass
    assert spent.own_s() >= 0.1
