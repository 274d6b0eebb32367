"""What the documents say is so: commands run, settings and codes are listed, every module has its tests."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bridge.access.errors import WrongHost
from bridge.balancer import Balancer
from bridge.config import BridgeConfig, env_name, flag_name
from bridge.errors import START_ERRORS, BridgeError, UpstreamLost
from bridge.live.errors import close_code
from bridge.metrics import OK, Metrics
from export.network.unet import UNet
from tests.conftest import Clip, Workspace

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BRIDGE = ROOT / "docs" / "bridge.md"
LIVE = ROOT / "docs" / "live-speech.md"
BESIDE_CODE = [
    *(ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"),
    *(ROOT / "demo" / "MODEL_CARD.md", *sorted((ROOT / "clients").glob("*/README.md"))),
    ROOT / "docker" / "helm" / "lipsync" / "README.md",
]
OPERATIONS = ROOT / "docs" / "operations.md"
NEVER_SENT = {error.code for error in (UpstreamLost, *START_ERRORS)}
TOPS = (
    "benchmarks",
    "bridge",
    "demo",
    "docker",
    "embedded",
    "export",
    "speech",
    "training",
    "triton_lipsync",
)
TESTED_TOGETHER = {  # their modules are little without each other, and have one test module
    "benchmarks/baselines": "tests/benchmarks/baselines/test_servers.py",
    "embedded/backends/tensorrt": "tests/backends/test_tensorrt.py",
}
SOURCES = sorted(
    {path.parent.relative_to(ROOT).as_posix() for top in TOPS for path in (ROOT / top).rglob("*.py")}
    - TESTED_TOGETHER.keys()
)

ADAPTERS = {
    "clients/livekit/livekit/plugins/lipsync": "agents/livekit",
    "clients/pipecat/pipecat_lipsync": "agents/pipecat",
}
"""Packages whose tests lie elsewhere, and where below ``tests/``."""

RUN_BY_CI = {
    "make test": "the run that this test is part of",
    "make test-compose": "CI runs it",
    "make test-faults": "CI runs it",
    "make test-agents": "CI runs it",
    "make test-helm": "CI runs it",
    ".venv/bin/pip install --editable '.[export]'": "make test installs the extra",
    ".venv/bin/pip install --editable '.[tensorrt]'": "make test installs the extra",
    ".venv/bin/pip install --editable '.[export,video]'": "make test installs the extras",
    ".venv/bin/pip install --no-deps --requirement requirements/detect.txt": "make test installs it",
}
RUN_ELSEWHERE = {
    ".venv/bin/python -m export avatar sanders --package sanders": "tests/export/test_avatar_cli.py",
    ".venv/bin/python -m export avatar anna --livetalking data/avatars/ultralight_avatar1": (
        "tests/export/test_avatar_cli.py"
    ),
    ".venv/bin/python -m export avatar anna --video anna.mp4 --landmarks landmarks --audio-features aud_ave.npy "
    "--checkpoint anna.pth": "tests/conftest.py imports every avatar so",
    ".venv/bin/python -m export tensorrt anna": "tests/export/test_main.py",
    ".venv/bin/python -m training dataset/anna --output runs/anna --minutes 240": "tests/training/test_run.py",
    ".venv/bin/python -m export features dataset/anna/aud.wav --encoder runs/anna/audio_encoder.pth "
    "--output dataset/anna/aud_ave.npy": "tests/export/test_hearing_cli.py",
    ".venv/bin/python -m export avatar anna --dataset dataset/anna --checkpoint runs/anna/unet.pth": (
        "tests/export/test_main.py"
    ),
    ".venv/bin/python -m demo.dataset build/demo": "tests/demo/test_dataset.py",
    ".venv/bin/python -m training build/demo/train_* --output build/demo/run --minutes 90": (
        "tests/training/test_main.py"
    ),
    ".venv/bin/python -m export onnx build/demo/run/unet.pth demo/unet.onnx --compact": "tests/export/test_main.py",
    ".venv/bin/python -m export audio-encoder build/demo/run/audio_encoder.pth demo/audio_encoder.onnx --compact": (
        "tests/export/test_hearing_cli.py"
    ),
    ".venv/bin/python -m demo.spoken build/demo/spoken": "tests/demo/test_spoken.py",
    ".venv/bin/python -m training.hear build/demo/spoken/voice_* --known build/demo/spoken/known_* "
    "--unet demo/unet.onnx --encoder demo/audio_encoder.onnx --output build/demo/heard --minutes 60 "
    "--opening-gain 1.12 --weights 2 2 1.5 0.3 0.3 0.5": "tests/training/test_hear.py",
    ".venv/bin/python -m export onnx build/demo/heard/unet.pth demo/unet.onnx --compact": "tests/export/test_main.py",
    ".venv/bin/python -m export audio-encoder build/demo/heard/audio_encoder.pth demo/audio_encoder.onnx --compact": (
        "tests/export/test_hearing_cli.py"
    ),
    ".venv/bin/python -m demo.lip_sync --contact-sheet docs/images/heldout.jpg": (
        "tests/demo/test_lip_sync.py"
    ),
    ".venv/bin/python -m export strategies anna --instances 4 --batch-sizes 4,8 --queue-delay-us 500": (
        "tests/export/test_main.py"
    ),
    "build/agents/bin/python -m tests.agents.pipecat.figures": "tests/agents/pipecat/test_figures.py",
    "make demo-pipecat": "tests/agents/pipecat/test_example.py",
    "make bench": "tests/benchmarks/test_main.py runs every part",
    ".venv/bin/python -m export strategies anna --lookup-instances 2 --jpeg-instances 6 --frames-in-network": (
        "tests/export/test_main.py"
    ),
    "make bench ARGS=stages": "tests/benchmarks/test_main.py runs it, with short cases",
    "make bench ARGS=endurance": "tests/benchmarks/test_main.py runs it, for two seconds",
    "make build/baselines/bin/python": "tests/benchmarks/baselines/test_servers.py, where it was run",
    ".venv/bin/python -m benchmarks.gpu": "tests/benchmarks/gpu/test_main.py, with stand-ins for what a card has",
    ".venv/bin/python -m benchmarks.gpu --prepare --site build/bench_gpu": "tests/benchmarks/gpu/test_main.py",
    ".venv/bin/python docker/requirements.py gpu-benchmark > build/gpu_requirements.txt": (
        "tests/docker/test_requirements.py"
    ),
    ".venv/bin/python -m benchmarks.simulation": "tests/benchmarks/simulation/test_main.py",
    ".venv/bin/python -m benchmarks.simulation --calibrate --validate --document docs/scaling.md": (
        "tests/benchmarks/simulation/test_calibrate.py and test_validate.py"
    ),
    ".venv/bin/python -m export avatar anna --video talk.mp4 --audio-encoder audio_encoder.pth --checkpoint anna.pth": (
        "tests/export/test_main.py"
    ),
    "docker compose up --detach --scale triton=2": "tests/compose/test_stack.py",
    ".venv/bin/python -m lipsync_client speak --url http://localhost:8086 --avatar demo "
    "--audio demo/recordings/heldout.wav --out out.mp4": "tests/test_live_speech.py",
    "docker compose down": "tests/compose/conftest.py",
    "docker stack deploy --compose-file docker/stack.yml lipsync": "tests/compose/test_swarm.py",
    "docker service update --force lipsync_triton": "tests/compose/test_swarm.py",
    ".venv/bin/python -m export avatar anna --dataset dataset/anna --checkpoint checkpoint/anna "
    "--avatars models/avatars --model-repository models/model_repository": "tests/export/test_main.py",
    "LIPSYNC_MODELS=./models LIPSYNC_DEMO=no docker compose up --detach": "tests/compose/test_stack.py",
}
NEVER_RUN = {
    "docker compose --profile gpu up --detach": "needs a GPU; tests/docker/test_compose_file.py resolves it",
    "LIPSYNC_TAG=0.1.0 docker compose build": "tests/compose builds the images under another tag",
    "helm install faces docker/helm/lipsync --set image.registry=registry.example.org/team": (
        "needs a cluster; tests/helm renders it"
    ),
    "kubectl rollout status deployment/faces-lipsync-bridge": "needs a cluster",
    "docker service scale lipsync_triton=4": "Swarm's own; tests/compose/test_swarm.py has two",
    "helm test faces": "needs a cluster; tests/helm/test_running.py runs its command",
    "docker compose --profile cpu --profile monitoring up --detach": (
        "its images need a registry; tests/docker/test_monitoring.py runs its files"
    ),
}
SERVERS = (
    "make demo",
    ".venv/bin/python -m embedded --strategy latency --processes 2",
    ".venv/bin/python -m bridge --upstreams localhost:8001,localhost:8011",
)
RUN_HERE = (
    "curl localhost:8086/health",
    "curl localhost:8086/frames/demo/7.jpg --output frame.jpg",
    ".venv/bin/python -m lipsync_client --url grpc://localhost:8001 --model demo --count 100",
    ".venv/bin/python -m export avatar anna --dataset ~/SyncTalk_2D/dataset/anna "
    "--checkpoint ~/SyncTalk_2D/checkpoint/anna",
    'curl -X POST -H "lipsync-secret: $(cat /dev/shm/triton-8000.secret)" '
    "localhost:8000/v2/repository/models/anna/load",
    ".venv/bin/python -m lipsync_client.multi --urls localhost:8001 localhost:8011 --requests 20",
)
SAME_IN_SHORT = {
    ".venv/bin/python -m export avatar anna --dataset dataset/anna --checkpoint checkpoint/anna": RUN_HERE[3]
}


def commands() -> list[str]:
    """Return every console command of the documents."""
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    return re.findall(r"^\$ (.+)$", text, re.MULTILINE)


def test_every_command_is_run() -> None:
    """Each console command of the documents is run by a test or by CI, or has a reason why not; none else is listed."""
    known = {*RUN_BY_CI, *RUN_ELSEWHERE, *NEVER_RUN, *SERVERS, *RUN_HERE, *SAME_IN_SHORT}
    assert set(commands()) == known


@dataclasses.dataclass(frozen=True)
class Site:
    """A folder laid out like a clone, with servers on ports of their own."""

    folder: Path
    ports: dict[str, int]

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(ROOT), str(ROOT / "clients" / "python")])
        return {**os.environ, "PYTHONPATH": path, "HOME": str(self.folder)}

    def with_ports(self, command: str) -> str:
        for default, port in self.ports.items():
            command = command.replace(f"localhost:{default}", f"localhost:{port}")
            command = command.replace(f"triton-{default}.secret", f"triton-{port}.secret")
        return command

    def run(self, command: str) -> str:
        done = subprocess.run(
            self.with_ports(command),
            shell=True,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, workspace: Workspace, clip: Clip) -> Site:
    """A folder with .venv, the demo avatar's models and a trained person's dataset."""
    folder = tmp_path_factory.mktemp("site")
    (folder / ".venv").symlink_to(sys.prefix)
    shutil.copytree(workspace.model_repository, folder / "model_repository")
    shutil.copytree(clip.folder, folder / "SyncTalk_2D" / "dataset" / "anna")
    checkpoints = folder / "SyncTalk_2D" / "checkpoint" / "anna"
    checkpoints.mkdir(parents=True)
    torch.save(UNet("ave", 0.5).state_dict(), checkpoints / "195.pth")
    return Site(folder, {"8000": 28000, "8001": 28001, "8011": 28011, "8086": 28086})


@contextlib.contextmanager
def server(site: Site, arguments: list[str], ready: str, cwd: Path) -> Iterator[None]:
    """Run a server until the block ends; it has to print ``ready`` first and to exit with 0 on SIGINT."""
    with subprocess.Popen(
        arguments, cwd=cwd, env=site.environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            assert any(ready in line for line in process.stdout), f"{arguments} never said {ready!r}"
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.stdout.read()
    if arguments[0] != "make":  # which reports the signal as its own
        assert process.returncode == 0


def test_the_readme_from_top_to_bottom(site: Site) -> None:
    """With `make demo` running, each of its commands succeeds, and prints what it shows."""
    demo = ["make", "demo", "ARGS=--triton-port 28000 --port 28086"]
    with server(site, demo, "page     http://127.0.0.1:28086/", ROOT):
        health, _, summary, imported = (site.run(command) for command in RUN_HERE[:4])
    assert '"healthy": true, "total_backends": 1, "healthy_count": 1' in health
    assert (site.folder / "frame.jpg").read_bytes()[:2] == b"\xff\xd8"
    shown = re.findall(r"^(Total|Success rate|Throughput|Avg latency|Min|p50): ", summary, re.MULTILINE)
    assert shown == ["Total", "Success rate", "Throughput", "Avg latency", "Min", "p50"]
    assert "anna_frames, anna_unet, anna" in imported


def test_the_servers_by_hand(site: Site) -> None:
    """Two Triton processes and a bridge in front of both start as the documents say, and take a new avatar."""
    python = sys.executable
    triton = [python, "-m", "embedded", "--strategy", "latency", "--processes", "2", "--quiet"]
    ports = ["--http-port", "28000", "--grpc-port", "28001", "--metrics-port", "28002"]
    bridge = [python, "-m", "bridge", "--upstreams", "localhost:28001,localhost:28011", "--port", "28086"]
    bridge += ["--grpc-port", "28051"]
    with (
        server(site, [*triton, *ports], "gRPC 127.0.0.1:28011", site.folder),
        server(site, bridge, "http://127.0.0.1:28086/", site.folder),
    ):
        site.run(RUN_HERE[4])
        with urllib.request.urlopen("http://127.0.0.1:28086/health") as answer:
            assert b'"healthy_count": 2' in answer.read()
        compared = site.run(RUN_HERE[5])
    assert compared.count("Requests: 20/20 successful") == 2
    assert re.search(r"^Speedup: \d+\.\dx$", compared, re.MULTILINE)


def test_the_folder_table_is_the_tree() -> None:
    """The README has one line for each top-level folder, which is one idea: no semicolon."""
    rows = dict(re.findall(r"^\| `(\w+)/` \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE))
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tops = {path.partition("/")[0] for path in tracked.splitlines() if "/" in path}
    assert rows.keys() == {top for top in tops if not top.startswith(".")}
    assert [text for text in rows.values() if ";" in text] == []


@pytest.mark.parametrize("path", [*DOCUMENTS, *BESIDE_CODE], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Each link to a file of the project leads to one, and each link to a section to one with that heading."""
    for target, section in re.findall(r"\]\((?!\w+:)([^)#]*)#?([^)]*)\)", path.read_text()):
        linked = path.parent / target if target else path
        assert linked.exists(), f"{path.name}: {target}"
        headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE) if section else []
        anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
        assert not section or section in anchors, f"{path.name}: {target}#{section}"


def test_every_setting_is_listed() -> None:
    """The bridge's page has each setting with its variable, flag, default and meaning."""
    listed = BRIDGE.read_text()
    for field in dataclasses.fields(BridgeConfig):
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        row = f"| `{env_name(field.name)}` | `{flag_name(field.name)}` | `{default}` | {field.metadata['meaning']} |"
        assert row in listed


def test_every_error_code_is_listed() -> None:
    """The bridge's page has each code that a browser can receive, that of live speech each of a live session's own."""
    live = {error.code for error in subclasses(BridgeError) if error.__module__ == "bridge.live.errors"}
    codes = {error.code for error in subclasses(BridgeError)} - live
    assert {code for code in codes - NEVER_SENT if f"| `{code}` |" not in BRIDGE.read_text()} == set()
    # both modules are imported, so their errors are among them
    assert close_code(BridgeError()) == 1011
    assert WrongHost.code in codes
    assert {code for code in live if f"| `{code}` |" not in LIVE.read_text()} == set()


def test_every_metric_is_listed() -> None:
    """The operations page has each metric of the bridge, and names none that it lacks."""
    metrics = Metrics()
    metrics.watch(Balancer(BridgeConfig()))
    metrics.count_frame("demo", OK, 0.001)
    metrics.rpcs.labels("ListModels", OK).inc()
    kinds = re.findall(r"^# TYPE (\w+) ", metrics.render().decode(), re.MULTILINE)
    names = {name for name in kinds if not name.endswith("_created")}
    listed = re.findall(r"^\| `(lipsync_bridge_\w+)` \|", OPERATIONS.read_text(), re.MULTILINE)
    assert set(listed) == names


def test_every_alert_and_failure_is_explained() -> None:
    """The operations page has a section for each alert and each failure that users of the predecessor met."""
    sections = re.findall(r"^### (.+)$", OPERATIONS.read_text(), re.MULTILINE)
    alerts = re.findall(r"- alert: (\w+)", (ROOT / "docker" / "prometheus" / "alerts.yml").read_text())
    failures = [
        "Out of memory",
        "Low speed-up from several processes",
        "Connection refused",
        "Models not loading",
    ]
    assert set(alerts + failures) <= set(sections)


def subclasses(base: type[BridgeError]) -> set[type[BridgeError]]:
    """Return all classes below ``base``."""
    below = set(base.__subclasses__())
    return below.union(*map(subclasses, below))


@pytest.mark.parametrize("package", [*SOURCES, *ADAPTERS])
def test_every_module_has_its_tests(package: str) -> None:
    """Each source module has a test module of its name."""
    modules = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}
    mirror = ROOT / "tests" / ADAPTERS.get(package, package)
    tests = {path.stem.removeprefix("test_") for path in mirror.glob("test_*.py")}
    assert {module.strip("_") for module in modules} - tests == set()


def test_nothing_tells_of_the_workplace() -> None:
    """No tracked file names a package registry's host."""
    hosts = re.compile(rb"(pypi|pythonhosted|debian|npmjs)\.org")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = [ROOT / name for name in tracked.decode().split("\0")]
    named = [path for path in paths if path.is_file() and hosts.search(path.read_bytes())]
    assert named == []
