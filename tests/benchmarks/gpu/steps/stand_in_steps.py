"""Steps of every kind, as ``benchmarks.gpu.step`` runs them by their module's name."""

import ctypes
import os
import signal
import subprocess
import sys

from benchmarks.errors import NotAvailable


def measure(settings, findings, how):
    """Tell one row, then end as the test wants."""
    findings.row("engine", batch=1, device=settings.device)
    print("on the way", flush=True)
    KINDS[how]()


def _fail():
    raise NotAvailable("this step", "of\nno use")


def _fail_otherwise():
    raise ValueError("7")


def _die():
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang():
    """Wait where Python never looks at a signal, as in a driver's call, with a child that holds on to everything."""
    subprocess.Popen([sys.executable, "-c", "import time; print('child', flush=True); time.sleep(600)"])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctypes.CDLL(None).sleep(600)


def _leave():
    sys.exit(0)


KINDS = {
    "done": lambda: None,
    "fail": _fail,
    "fail otherwise": _fail_otherwise,
    "die": _die,
    "hang": _hang,
    "leave": _leave,
}
