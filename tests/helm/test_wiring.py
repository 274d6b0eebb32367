"""What containers are told is what their programs know: images, arguments, ports, probes, time to stop."""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import embedded.__main__ as embedded_main
import embedded.load as embedded_load
from bridge.config import load_config
from embedded.config import EmbeddedConfig
from embedded.installation import find_installation
from tests.helm.chart import CHART, MATRIX, ROOT, containers, helm, rendered

pytestmark = pytest.mark.helm

HEALTH = ["python3", "-I", "-S", "/app/embedded/health.py"]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
MODELS = {"volume": "persistentVolumeClaim"}
SCRIPTS = ("docker/fill_models.py", "docker/build_engines.py")


def parser_of(script: str) -> argparse.ArgumentParser:
    """Return the parser of a script of ``docker/``."""
    spec = importlib.util.spec_from_file_location(Path(script).stem, ROOT / script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parser: argparse.ArgumentParser = module._parser()
    return parser


def of(case: str, name: str) -> list[dict[str, Any]]:
    """Return the containers of a name."""
    return [container for _, _, container in containers(rendered(case)) if container["name"] == name]


@pytest.mark.parametrize("case", MATRIX)
def test_images(case: str) -> None:
    """Every image is one that Compose builds, with NVIDIA's release in the tags of those that build on its own."""
    built = {
        service["image"].partition(":")[0]: "${TRITON_RELEASE}" in service["image"]
        for service in COMPOSE["services"].values()
        if "build" in service
    } | {COMPOSE["x-bridge"]["image"].partition(":")[0]: False}
    registry = MATRIX[case].get("image", {}).get("registry", "")
    for _, _, container in containers(rendered(case)):
        name, _, tag = container["image"].removeprefix(f"{registry}/").partition(":")
        assert tag.endswith("-26.07") == built[name], container["image"]
        assert tag.startswith("7" if registry else "0.1.0")


@pytest.mark.parametrize("case", MATRIX)
def test_arguments(case: str) -> None:
    """Each program's own parser takes what its container is given."""
    for _, _, container in containers(rendered(case)):
        words = list(container.get("args", ()))
        if not words:
            assert container["name"] in ("bridge", "wait", "health")
            continue
        if words[0] == "python3":  # the GPU's images have NVIDIA's entry point, the CPU's has python
            assert re.search(r"/(triton-gpu|engines):", container["image"])
            words = words[1:]
        if words[:2] == ["-m", "embedded"]:
            args = embedded_main._parser("embedded").parse_args(words[2:])
            assert (args.host, args.strategy) == ("0.0.0.0", "replay")
        elif words[:2] == ["-m", "embedded.load"]:
            embedded_load._parser().parse_args(words[2:])
        else:
            assert words[0] in SCRIPTS
            parser_of(words[0]).parse_args(words[1:])


def test_arguments_of_triton_itself() -> None:
    """What is passed on to tritonserver is in its own --help."""
    installation = find_installation()
    done = subprocess.run(
        [installation.server, "--help"],
        capture_output=True,
        text=True,
        env=installation.environment(),
        check=False,
    )
    known = set(re.findall(r"--[a-z-]+", done.stdout + done.stderr))
    for case in MATRIX:
        for container in of(case, "triton"):
            words = container["args"]
            passed_on = words[words.index("--") + 1 :]
            assert "--http-address=127.0.0.1" in passed_on
            assert {word.partition("=")[0] for word in passed_on} <= known


def test_triton_is_told_what_compose_tells_it() -> None:
    """Repositories and secrets are where the volume and the mounts have them."""
    (cpu,) = of("defaults", "triton")
    args = embedded_main._parser("embedded").parse_args(cpu["args"][2:])
    compose = embedded_main._parser("embedded").parse_args(COMPOSE["services"]["triton"]["command"][2:])
    assert args.model_repository == compose.model_repository
    assert args.response_cache_bytes == EmbeddedConfig.__dataclass_fields__["response_cache_bytes"].default
    (variable,) = cpu["env"]
    assert variable["name"] == "TRITON_CONTROL_SECRET_FILE"
    assert any(variable["value"].startswith(f"{mount['mountPath']}/") for mount in cpu["volumeMounts"])


@pytest.mark.parametrize(
    "case", ["GPUs, a volume each", "GPUs, one claim", "GPUs, image", "GPUs beside CPUs"]
)
def test_engines_are_served_from_where_they_were_built(case: str) -> None:
    """Each type of GPU has a repository of its own, which its builder writes and its Tritons read."""
    built = {
        parser_of(SCRIPTS[1]).parse_args(found["args"][2:]).model_repository for found in of(case, "engines")
    }
    served = set()
    for container in of(case, "triton"):
        if container["args"][0] == "python3":
            args = embedded_main._parser("embedded").parse_args(container["args"][3:])
            served.add(args.model_repository)
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert any(str(args.model_repository).startswith(f"{mount}/") for mount in mounts)
    assert built == served
    assert len(served) == len(MATRIX[case]["triton"]["gpuTypes"])


@pytest.mark.parametrize("case", ["one claim for all", "GPUs, one claim", "GPUs beside CPUs"])
def test_pods_wait_for_what_jobs_write(case: str) -> None:
    """Each file that a container waits for is one that a Job writes, and its revision the one that it writes."""
    written = {}
    for container in (*of(case, "avatars"), *of(case, "engines")):
        words = [word for word in container["args"] if word != "python3"]
        args = parser_of(words[0]).parse_args(words[1:])
        written[str(args.ready_file)] = args.revision
    waiting = [container["command"][2] for container in of(case, "wait")]
    assert waiting
    for condition in waiting:
        path = re.search(r"(?:test -e|avatars\.ready|\S+) ?(/models/\S+\.ready)", condition)
        assert path is not None
        assert path[1] in written
        if "grep" in condition:
            assert f"grep -qsx {written[path[1]]} {path[1]};" in condition


def test_new_avatars_are_new_jobs_and_the_same_pods() -> None:
    """On a shared volume another list of avatars changes the Jobs alone; with a volume each, it changes the pods."""
    before, after = rendered("one claim for all"), rendered("fetched into a claim")
    jobs = [
        {found["metadata"]["name"] for found in objects if found["kind"] == "Job"}
        for objects in (before, after)
    ]
    assert jobs[0] != jobs[1]
    assert deployments(before) == deployments(after)
    assert deployments(rendered("defaults")) != deployments(rendered("fetched into each pod"))


CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "pull secrets": {"image": {"pullSecrets": ["pull"]}},
    "account": {"serviceAccount": {"name": "another"}},
    "time": {"triton": {"startTimeoutS": 900}},
    "TLS": {"triton": {"tls": {"serverSecret": "a", "clientSecret": "b", "name": "c"}}},
    "resources": {"avatars": {"resources": {"limits": {"memory": "3Gi"}}}},
    "nodes": {"triton": {"gpuDefaults": {"nodeSelector": {"disk": "fast"}}}},
    "labels": {"commonLabels": {"team": "faces"}},
    "revision": {"avatars": {"revision": "2"}},
    "bridges": {"bridge": {"replicas": 3}},
}


def test_a_job_is_never_changed() -> None:
    """Kubernetes refuses to change a Job, and with it the upgrade: what differs has another name."""
    jobs: dict[str, Any] = {}
    names: dict[str, set[str]] = {}
    for change, values in CHANGES.items():
        gpu = {
            **values,
            "triton": {"gpuTypes": [{"name": "l4"}], **values.get("triton", {})},
            "models": MODELS,
        }
        done = helm("template", "demo", str(CHART), values=gpu)
        assert done.returncode == 0, done.stderr
        found = [found for found in yaml.safe_load_all(done.stdout) if found and found["kind"] == "Job"]
        names[change] = {job["metadata"]["name"] for job in found}
        for job in found:
            assert jobs.setdefault(job["metadata"]["name"], job["spec"]) == job["spec"]
    assert names["bridges"] == names["nothing"]
    assert all(
        len(names[change] & names["nothing"]) < 2 for change in CHANGES.keys() - {"nothing", "bridges"}
    )


@pytest.mark.parametrize("case", ["defaults", "GPUs beside CPUs"])
def test_a_newer_chart_alone_makes_no_new_pods(case: str) -> None:
    """No pod's labels have the chart's version, which would replace all of them for nothing."""
    for found in rendered(case):
        if found["kind"] in ("Deployment", "Job"):
            labels = found["spec"]["template"]["metadata"]["labels"]
            assert not labels.keys() & {"helm.sh/chart", "app.kubernetes.io/version"}


def deployments(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [found for found in objects if found["kind"] == "Deployment"]


@pytest.mark.parametrize("case", MATRIX)
def test_ports(case: str) -> None:
    """Containers name the ports their programs listen on, and Services and probes lead to these names."""
    named = {}
    for container in (*of(case, "triton")[:1], *of(case, "bridge")):
        named[container["name"]] = {port["name"]: port["containerPort"] for port in container["ports"]}
    defaults = {key: field.default for key, field in EmbeddedConfig.__dataclass_fields__.items()}
    assert named["triton"] == {"grpc": defaults["grpc_port"], "metrics": defaults["metrics_port"]}
    (bridge,) = of(case, "bridge")
    environment = {item["name"]: item["value"] for item in bridge["env"] if item["value"][0] != "/"}
    config = load_config([], {key: value for key, value in environment.items() if "TLS_NAME" not in key})
    assert named["bridge"] == {"http": config.port, "grpc": config.grpc_port, "metrics": config.metrics_port}
    for found in rendered(case):
        if found["kind"] == "Service":
            component = found["spec"]["selector"]["app.kubernetes.io/component"]
            assert {port["targetPort"] for port in found["spec"]["ports"]} <= named[component].keys()
    probes = [
        bridge[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    ]
    assert set(probes) == {"metrics"}


@pytest.mark.parametrize("case", MATRIX)
def test_probes_of_triton(case: str) -> None:
    """Compose's own check, which a dead process fails; a start has the time that embedded allows it."""
    for container in of(case, "triton"):
        probes = [container[probe] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
        assert all(probe["exec"]["command"] == HEALTH for probe in probes)
        assert COMPOSE["x-triton"]["healthcheck"]["test"] == ["CMD", *HEALTH]
        words = container["args"][container["args"].index("embedded") + 1 :]
        start_s = embedded_main._parser("embedded").parse_args(words).start_timeout_s
        startup, readiness, liveness = (
            probe["periodSeconds"] * probe["failureThreshold"] for probe in probes
        )
        assert startup >= start_s + 60
        assert readiness <= 15
        assert liveness >= 120


@pytest.mark.parametrize("case", MATRIX)
def test_there_is_time_to_stop(case: str) -> None:
    """Before SIGKILL there is time for what is done before SIGTERM, and for what the program does after it."""
    for _, spec, container in containers(rendered(case)):
        if container["name"] == "triton":
            slept_s = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
            words = container["args"][container["args"].index("embedded") + 1 :]
            stop_s = embedded_main._parser("embedded").parse_args(words).stop_timeout_s
            assert spec["terminationGracePeriodSeconds"] >= slept_s + stop_s + 5
        elif container["name"] == "bridge":
            *command, port, drain_s = container["lifecycle"]["preStop"]["exec"]["command"]
            assert command == ["python", "-I", "-S", "/app/bridge/drain.py"]
            assert (ROOT / "bridge" / "drain.py").is_file()
            environment = {item["name"]: item["value"] for item in container["env"]}
            assert port == environment["BRIDGE_METRICS_PORT"]
            stop_s = float(environment["BRIDGE_SHUTDOWN_TIMEOUT_S"])
            assert spec["terminationGracePeriodSeconds"] >= int(drain_s) + stop_s + 5


def test_old_tritons_go_when_bridges_know_the_new_ones() -> None:
    """A new pod counts later than DNS answers are kept, and an old one goes on for longer than they are."""
    deployment = next(
        found for found in deployments(rendered("defaults")) if "triton" in found["metadata"]["name"]
    )
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    ttl_s, interval_s = 30, load_config([], {}).dns_interval_s
    assert deployment["spec"]["minReadySeconds"] >= ttl_s + interval_s
    assert int(container["lifecycle"]["preStop"]["exec"]["command"][1]) >= ttl_s + interval_s
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_sessions_are_admitted_for_the_most_tritons() -> None:
    """With autoscaling on sessions a bridge admits as many as all Tritons at their most, not what it measured first."""
    (bridge,) = of("autoscaling", "bridge")
    environment = {item["name"]: item["value"] for item in bridge["env"] if item["value"][0] != "/"}
    config = load_config([], environment)
    assert (config.speech_admission, config.speech_sessions_max) == ("off", 4 * (6 + 4))
    (bridge,) = of("defaults", "bridge")
    assert "BRIDGE_SPEECH_ADMISSION" not in {item["name"] for item in bridge["env"]}
