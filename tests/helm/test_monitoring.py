"""Monitoring and autoscaling: the same files as Compose's, and metrics that a running stack gives."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.compose.stack import wait_until
from tests.docker.test_monitoring import WAIT_S, has_number, stack
from tests.helm.chart import CHART, MATRIX, ROOT, rendered

__all__ = ["stack"]

pytestmark = [pytest.mark.helm, pytest.mark.timeout(600)]

ADAPTER = yaml.safe_load((CHART / "files" / "prometheus-adapter.yaml").read_text())


def of_kind(case: str, kind: str) -> list[dict[str, Any]]:
    return [found for found in rendered(case) if found["kind"] == kind]


def test_the_alerts_are_those_of_compose() -> None:
    """The operator's rules are the file that Compose's Prometheus reads, and nothing else."""
    (rule,) = of_kind("monitoring", "PrometheusRule")
    assert rule["spec"] == yaml.safe_load((ROOT / "docker" / "prometheus" / "alerts.yml").read_text())


def test_the_dashboard_is_that_of_compose() -> None:
    """Grafana's sidecar gets the file that Compose's Grafana shows, under the label that it looks for."""
    dashboard = next(found for found in of_kind("monitoring", "ConfigMap") if "lipsync.json" in found["data"])
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    shown = json.loads(dashboard["data"]["lipsync.json"])
    assert shown == json.loads((ROOT / "docker" / "grafana" / "dashboards" / "lipsync.json").read_text())


def test_the_adapter_gets_its_rules() -> None:
    """The ConfigMap has the rules under the key that the adapter's chart mounts."""
    adapter = next(found for found in of_kind("monitoring", "ConfigMap") if "config.yaml" in found["data"])
    assert yaml.safe_load(adapter["data"]["config.yaml"]) == ADAPTER


def test_everything_is_scraped() -> None:
    """The operator finds the Services of bridges and Tritons, each once, and calls their jobs as alerts do."""
    (monitor,) = of_kind("monitoring", "ServiceMonitor")
    assert set(monitor["spec"]) == {"jobLabel", "selector", "namespaceSelector", "endpoints"}
    (endpoint,) = monitor["spec"]["endpoints"]
    wanted = monitor["spec"]["selector"]["matchLabels"]
    jobs = []
    for service in of_kind("monitoring", "Service"):
        labels = service["metadata"]["labels"]
        if wanted.items() <= labels.items():
            assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
            jobs.append(labels[monitor["spec"]["jobLabel"]])
    configured = yaml.safe_load((ROOT / "docker" / "prometheus" / "prometheus.yml").read_text())
    assert sorted(jobs) == sorted(job["job_name"] for job in configured["scrape_configs"])


def test_what_autoscalers_ask_for_is_what_the_adapter_makes() -> None:
    """Each metric of an autoscaler has its rule, for the kind of object that it is asked of."""
    made = {
        rule["name"]["as"]: set(rule["resources"]["overrides"]) - {"namespace"} for rule in ADAPTER["rules"]
    }
    asked = {}
    for scaler in of_kind("autoscaling", "HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] == "Object":
                (port,) = described(metric)["spec"]["ports"]
                assert port["name"] == "metrics", "series have the name of the Service that is scraped"
                asked[metric["object"]["metric"]["name"]] = {"service"}
            elif metric["type"] == "Pods":
                asked[metric["pods"]["metric"]["name"]] = {"pod"}
    assert asked == made


def described(metric: dict[str, Any]) -> dict[str, Any]:
    """Return the Service that a metric is asked of."""
    name = metric["object"]["describedObject"]["name"]
    return next(found for found in of_kind("autoscaling", "Service") if found["metadata"]["name"] == name)


def test_targets() -> None:
    """Values become the autoscalers' targets, in their units; each type of Triton scales between its own bounds."""
    scalers = {
        found["metadata"]["name"]: found["spec"]
        for found in of_kind("autoscaling", "HorizontalPodAutoscaler")
    }
    l4 = scalers["demo-lipsync-triton-l4"]
    targets = [
        next(value["target"] for key, value in metric.items() if key != "type") for metric in l4["metrics"]
    ]
    assert targets == [
        {"type": "AverageValue", "averageValue": "4"},
        {"type": "Value", "value": "700m"},
        {"type": "AverageValue", "averageValue": "5000"},
        {"type": "Utilization", "averageUtilization": 80},
    ]
    bounds = {name: (spec["minReplicas"], spec["maxReplicas"]) for name, spec in scalers.items()}
    assert bounds == {
        "demo-lipsync-triton-cpu": (2, 6),
        "demo-lipsync-triton-l4": (2, 4),
        "demo-lipsync-bridge": (2, 6),
    }
    for found in of_kind("autoscaling", "Deployment"):
        assert "replicas" not in found["spec"], "an upgrade would undo what the autoscaler has done"


@pytest.mark.parametrize("case", [case for case in MATRIX if case != "autoscaling"])
def test_without_autoscaling_replicas_are_given(case: str) -> None:
    """Who asks for no autoscaler gets none, and as many pods as the values say."""
    assert of_kind(case, "HorizontalPodAutoscaler") == []
    assert all(found["spec"]["replicas"] >= 1 for found in of_kind(case, "Deployment"))


def test_every_rule_of_the_adapter_gives_a_number(stack: tuple[str, Callable[..., Any]]) -> None:
    """On a real stack each rule's series are found, and its query gives a number."""
    url, ask = stack
    urllib.request.urlopen(f"{url}frames/demo/0.jpg").close()
    waiting = {rule["name"]["as"]: rule for rule in ADAPTER["rules"]}

    def all_answer() -> bool:
        for name, rule in list(waiting.items()):
            series = re.sub(r'\{namespace!="",(?:service|pod)!=""\}', "", rule["seriesQuery"])
            assert re.fullmatch(r"\w+", series)
            query = rule["metricsQuery"].replace("<<.Series>>", series).replace("<<.GroupBy>>", "job")
            query = query.replace("<<.LabelMatchers>>", 'job=~"bridge|triton"')
            assert "<<" not in query
            if has_number(ask("query", query=series)) and has_number(ask("query", query=query)):
                del waiting[name]
        return not waiting

    wait_until(all_answer, WAIT_S, "each rule of the adapter to give a number")
