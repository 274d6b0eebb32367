"""Run the exporter's commands, and look at what they leave."""

import subprocess
import sys
from pathlib import Path

import onnxruntime

ROOT = Path(__file__).parents[2]


def folders(out):
    return ["--avatars", str(out / "avatars"), "--model-repository", str(out / "models")]


def said(capsys):
    """Return the one line of standard error."""
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("\n")
    return captured.err.rstrip("\n")


def run_process(code, *arguments):
    return subprocess.run(
        [sys.executable, *code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def render(path, faces, audio):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["image"], {"face": faces, "audio": audio})[0].astype(int)
