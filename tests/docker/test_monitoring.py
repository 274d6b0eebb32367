"""Prometheus reads our rules, and each query of rules and dashboard finds what a running stack exports."""

from __future__ import annotations

import contextlib
import json
import math
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import yaml
from websockets.sync.client import connect

from bridge.grpc_service.schema import DEPLOYED, message_class
from embedded import EmbeddedConfig
from tests.compose.stack import free_port, wait_until
from tests.conftest import CLIP_FRAMES, Workspace, running_triton
from tests.docker.tools import ROOT, tool

PROMETHEUS = ROOT / "docker" / "prometheus"
GRAFANA = ROOT / "docker" / "grafana"
WAIT_S = 60.0

ONLY_ON_A_GPU = {
    "nv_gpu_utilization",
    "nv_gpu_memory_used_bytes",
    "nv_gpu_memory_total_bytes",
    "nv_gpu_power_usage",
}
"""Metrics that no machine without a GPU exports: the names are those of Triton's metrics documentation."""

ALERTS = {
    "LipsyncNoReadyUpstream",
    "LipsyncFrameLatencyHigh",
    "LipsyncQueueGrowing",
    "LipsyncLivePicturesSkipped",
    "LipsyncLiveRefused",
    "LipsyncOverloaded",
    "LipsyncModelFailing",
    "LipsyncNameUnresolved",
}


def panels() -> list[dict[str, Any]]:
    """Return the dashboard's panels."""
    dashboard = json.loads((GRAFANA / "dashboards" / "lipsync.json").read_text())
    return list(dashboard["panels"])


def queries() -> dict[str, str]:
    """Return the dashboard's queries by panel and letter, with a window for Grafana's variable."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "20s")
        for panel in panels()
        for target in panel.get("targets", [])
    }


def rules() -> dict[str, str]:
    """Return the alerts' expressions by name."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def metrics(expression: str) -> set[str]:
    """Return the names of the metrics in an expression."""
    return set(re.findall(r"\b(?:lipsync|nv)_\w+", expression))


def test_rules_and_configuration_are_valid() -> None:
    """Prometheus' own checker accepts the configuration, and the alerts fire when they should and only then."""
    promtool = tool("promtool", "prometheus")
    for arguments in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert set(rules()) == ALERTS


def test_every_metric_of_the_bridge_is_shown() -> None:
    """The dashboard has a panel of each metric that the operations page lists."""
    listed = re.findall(
        r"^\| `(lipsync_bridge_\w+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
    )
    shown = set().union(*map(metrics, queries().values()))
    assert {name for name in listed if not {name, f"{name}_bucket"} & shown} == set()


def test_the_dashboard_is_whole() -> None:
    """Grafana's files fit: one data source, whose uid each panel names; unique ids; no panel over another."""
    (source,) = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    shown = [panel for panel in panels() if panel["type"] != "row"]
    for panel in shown:
        for owner in (panel, *panel["targets"]):
            assert owner["datasource"] == {"type": source["type"], "uid": source["uid"]}
        assert panel["description"]
    assert len({panel["id"] for panel in panels()}) == len(panels())
    cells = [cell for panel in panels() for cell in covered(**panel["gridPos"])]
    assert len(set(cells)) == len(cells)


def covered(x: int, y: int, w: int, h: int) -> list[tuple[int, int]]:
    """Return the cells of the dashboard's grid that a panel covers, 24 in a row."""
    assert x + w <= 24
    return [(column, row) for column in range(x, x + w) for row in range(y, y + h)]


def test_the_files_are_where_grafana_looks() -> None:
    """The folder that the provisioning names is where Compose mounts the dashboard."""
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "lipsync.yml").read_text())[
        "providers"
    ]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    assert f"./docker/grafana/dashboards:{provider['options']['path']}:ro" in compose["volumes"]
    home = compose["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/lipsync.json"


@contextlib.contextmanager
def running_bridge(upstream: str) -> Iterator[tuple[str, str]]:
    """Run a bridge; yields its URL and the address of its gRPC service."""
    settings = ["--upstreams", upstream, "--port=0", "--grpc-port=0", "--log-level=error"]
    settings += [
        "--speech-timeout-s=30",
        "--infer-timeout-s=30",
    ]  # a busy machine is slow, which is no failure here
    command = [sys.executable, "-m", "bridge", *settings]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"(http://[\w.:]+/), gRPC ([\w.:]+)", process.stdout.readline())
            assert found
            yield found[1], found[2]
        finally:
            process.terminate()


@contextlib.contextmanager
def running_prometheus(folder: Path, targets: dict[str, str]) -> Iterator[Callable[..., Any]]:
    """Run Prometheus on our configuration, which finds its targets here instead of by DNS; yields its API."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / name) for name in config["rule_files"]]
    for job in config["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [targets.pop(job["job_name"])]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    url = f"127.0.0.1:{free_port()}"
    places = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": url,
    }
    command = [tool("prometheus", "prometheus"), *(f"--{key}={value}" for key, value in places.items())]

    def ask(path: str, **parameters: str) -> Any:
        with urllib.request.urlopen(
            f"http://{url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        ) as answer:
            return json.load(answer)["data"]

    with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            wait_until(lambda: scraped(ask), WAIT_S, "Prometheus to scrape both")
            yield ask
        finally:
            process.terminate()


@contextlib.contextmanager
def asking_over_grpc(address: str) -> Iterator[None]:
    """List the models over gRPC, again and again while the block runs."""
    stopping = threading.Event()
    answer = message_class(DEPLOYED, "ListModelsResponse")

    def ask() -> None:
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(f"/{DEPLOYED}/ListModels", response_deserializer=answer.FromString)
            while not stopping.wait(0.5):
                call(b"", timeout=WAIT_S)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def scraped(ask: Callable[..., Any]) -> bool:
    """Tell whether both targets have been read."""
    try:
        return [target["health"] for target in ask("targets")["activeTargets"]] == ["up", "up"]
    except urllib.error.URLError:
        return False


@pytest.fixture(scope="module")
def stack(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Callable[..., Any]]]:
    """A real Triton, a bridge, and Prometheus scraping both; yields the bridge's URL and Prometheus' API."""
    tool("prometheus", "prometheus")
    config = EmbeddedConfig(
        model_repository=workspace.model_repository, strategy="replay", http_port=0, stop_timeout_s=3
    )
    with running_triton(config) as (triton,), running_bridge(triton.grpc_url) as (url, grpc_address):
        targets = {"triton": f"127.0.0.1:{triton.metrics_port}", "bridge": urllib.parse.urlsplit(url).netloc}
        with (
            running_prometheus(tmp_path_factory.mktemp("prometheus"), targets) as ask,
            asking_over_grpc(grpc_address),
        ):
            yield url, ask


def test_every_metric_exists(stack: tuple[str, Callable[..., Any]]) -> None:
    """Each metric of the dashboard and the alerts is exported by the running stack, but for those of a GPU."""
    url, ask = stack
    for frame in (0, 0):
        urllib.request.urlopen(f"{url}frames/demo/{frame}.jpg").close()
    say_something(url)
    named = set().union(*map(metrics, (*queries().values(), *rules().values())))

    def known() -> set[str]:
        return set(ask("label/__name__/values"))

    wait_until(lambda: named - ONLY_ON_A_GPU <= known(), WAIT_S, "every metric to be exported")
    assert named >= ONLY_ON_A_GPU
    assert known() & ONLY_ON_A_GPU == set()


def test_every_query_gives_numbers(stack: tuple[str, Callable[..., Any]]) -> None:
    """While frames are played and somebody speaks, each query gives a number, but for those of a GPU."""
    url, ask = stack
    waiting = {name: query for name, query in queries().items() if not metrics(query) & ONLY_ON_A_GPU}
    deadline_s = time.monotonic() + WAIT_S
    frame = 0
    while waiting and time.monotonic() < deadline_s:
        for _ in range(2):  # the second is answered from the cache
            urllib.request.urlopen(f"{url}frames/demo/{frame % CLIP_FRAMES}.jpg").close()
        frame += 1
        say_something(url)
        waiting = {
            name: query for name, query in waiting.items() if not has_number(ask("query", query=query))
        }
    assert waiting == {}


def say_something(url: str) -> None:
    """Speak for half a second to the demo's avatar, with a clock, until all of it is shown."""
    with connect(url.replace("http", "ws") + "speech", max_size=None) as websocket:
        websocket.send('{"type": "start", "avatar": "demo"}')
        websocket.send(np.random.default_rng(0).integers(-3_000, 3_000, 8_000, "<i2").tobytes())
        websocket.send('{"type": "end"}')
        messages = iter(lambda: websocket.recv(WAIT_S), None)
        assert any(isinstance(message, str) and '"ended"' in message for message in messages)


def has_number(answer: dict[str, Any]) -> bool:
    """Tell whether a query gave at least one series, and a number in one."""
    return any(not math.isnan(float(series["value"][1])) for series in answer["result"])


def test_every_rule_is_evaluated(stack: tuple[str, Callable[..., Any]]) -> None:
    """Prometheus evaluates each alert on the running stack without an error, and none says that none is ready."""
    _, ask = stack

    def evaluated() -> dict[str, tuple[str, str]]:
        found = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
        return {rule["name"]: (rule["health"], rule["state"]) for rule in found}

    wait_until(
        lambda: {health for health, _ in evaluated().values()} == {"ok"}, WAIT_S, "every rule to be evaluated"
    )
    assert set(evaluated()) == ALERTS
    assert evaluated()["LipsyncNoReadyUpstream"] == ("ok", "inactive")
