"""benchmarks/gpu/__main__.py: all of it, with stand-ins for a card, for TensorRT and for the driver's library"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.gpu import __main__ as command
from benchmarks.gpu.journal import LINES, LOG, MARKDOWN
from export.files import link_or_copy
from tests.benchmarks.gpu.conftest import STAND_INS

ROOT = Path(__file__).parents[3]
LIMIT_S = 500.0  # a minute on two cores of their own


def start(site: Path, output: Path, driver: Path | None, *options: str) -> subprocess.Popen[str]:
    """Start a run on a stand-in for a card, in a process of its own as users do."""
    environment = {**os.environ, "PYTHONPATH": str(STAND_INS)}
    if driver is not None:
        environment["LD_LIBRARY_PATH"] = str(driver)
    folders = ["--site", str(site), "--output", str(output)]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks.gpu",
            "--device",
            "cpu-stand-in",
            "--avatar",
            "half",
            *folders,
            *options,
        ],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def rows(output: Path) -> dict[str, list[dict[str, object]]]:
    found = defaultdict(list)
    for line in (output / LINES).read_text().splitlines():
        message = json.loads(line)
        if "row" in message:
            found[message["table"]].append(message["row"])
    return found


@pytest.mark.timeout(600)
def test_all_of_it(gpu_site: Path, driver_folder: Path, tmp_path: Path) -> None:
    """Every step is made: pictures, engines, both of Triton's backends, live sessions, fixed rates, instances."""
    process = start(gpu_site, tmp_path, driver_folder, "--minutes", "10")
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, said
    found = rows(tmp_path)
    states = {str(row["step"]): row["state"] for row in found["steps"]}
    failed = {name for name, state in states.items() if state != "done"}
    # its builder is real, and there is no card for what it builds
    assert failed == {name for name in states if "tensorrt_rtx" in name}, said
    assert {row["library"] for row in found["engine"]} == {"tensorrt", "onnxruntime-cpu"}
    assert {row["backend"] for row in found["served"]} == {"tensorrt", "onnxruntime"}
    assert {row["strategy"] for row in found["served"]} == {"hybrid", "latency", "replay"}
    assert {row["variant"] for row in found["served"]} == {"", "faces in the network"}
    assert [row["instances"] for row in found["instances"]] == [1, 2]
    assert found["live"][0]["sessions"] == 1
    assert {row["asked, frames/s"] for row in found["open"]} == {5.0, 2.5, 10.0}
    assert all(row["equal bytes, %"] == 100 for row in found["parity"] if row["precision"] == "tf32")
    text = (tmp_path / MARKDOWN).read_text()
    assert "| frames/s end to end, H200, at least | 10000 | " in text
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([LINES, LOG, MARKDOWN])
    assert said.endswith(f"{tmp_path / MARKDOWN}: the tables\n")


def test_from_a_folder_of_packages(gpu_site: Path, tmp_path: Path) -> None:
    """A checkout, a plain Python and a folder of packages are enough, as on a machine without a network."""
    tree, output = tmp_path / "tree", tmp_path / "results"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(ROOT / name, tree / name)
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    command = [
        python,
        "-m",
        "benchmarks.gpu",
        "--device",
        "cpu-stand-in",
        "--avatar",
        "half",
        "--minutes",
        "5",
    ]
    folders = ["--site", gpu_site, "--output", output, "--step", "avatar", "--step", "hybrid on onnxruntime"]
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": sysconfig.get_path("purelib")}
    done = subprocess.run(
        [*command, *folders], cwd=tree, env=environment, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(output)
    assert [row["state"] for row in found["steps"]] == ["done"] * 4, done.stdout
    assert float(str(found["served"][0]["frames/s"])) > 0


def test_a_run_that_is_interrupted(gpu_site: Path, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM end the step that runs, and keep what was found."""
    for number in (signal.SIGINT, signal.SIGTERM):
        process = start(gpu_site, tmp_path, None, "--minutes", "2")
        assert process.stdout is not None
        assert any("pictures of" in line for line in process.stdout)
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert said.endswith("interrupted: what was found until then is kept\n")
        assert rows(tmp_path)["facts"]


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
def test_without_a_card(gpu_site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a card the run ends after the facts with one sentence, and the report has the facts."""
    folders = ["--site", str(gpu_site), "--output", str(tmp_path)]
    assert command.main(["--minutes", "1", *folders]) == 1
    assert capsys.readouterr().err.startswith(
        "error: all that needs a card is skipped: the GPU benchmark is skipped: no CUDA device"
    )
    assert "| libcuda.so.1 | missing |" in (tmp_path / MARKDOWN).read_text()


def test_a_bad_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """A bad value is one sentence, and nothing is written."""
    assert command.main(["--minutes", "0"]) == 1
    assert capsys.readouterr().err == "error: --minutes: expected 0.2 or more, got 0\n"


def test_prepare(tmp_path: Path, gpu_site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What takes PyTorch or long is written once; what is there already stays."""
    (tmp_path / "clip").symlink_to(gpu_site / "clip")
    (tmp_path / "half.onnx").write_bytes((gpu_site / "half.onnx").read_bytes())
    assert command.main(["--prepare", "--avatar", "half", "--site", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: carry it to the machine with the card\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip", "half.onnx"]
