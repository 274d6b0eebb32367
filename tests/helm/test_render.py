"""Helm renders the chart for every way to use it, and Kubernetes' schemas know each field of each object."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.chart import BIN, CHART, MATRIX, NAMESPACE, ROOT, helm, rendered

pytestmark = pytest.mark.helm

VERSIONS: dict[str, set[str]] = {"1.27": {"image", "GPUs, image"}, "1.33": set()}
"""The oldest that Chart.yaml allows, and one with volumes of images; which cases each lacks."""

CUSTOM = {"monitoring.coreos.com/v1", "gateway.networking.k8s.io/v1"}
"""Of operators, so not among Kubernetes' own schemas: test_monitoring.py and test_clients.py look at these."""

EXPECTED = {
    "defaults": {"Deployment": 2, "Job": 0, "PersistentVolumeClaim": 0},
    "one claim for all": {"Deployment": 2, "Job": 1, "PersistentVolumeClaim": 1},
    "claim of others": {"Job": 1, "PersistentVolumeClaim": 0},
    "image": {"Deployment": 2, "Job": 0},
    "GPUs, a volume each": {"Deployment": 3, "Job": 0},
    "GPUs, one claim": {"Deployment": 3, "Job": 3},
    "GPUs beside CPUs": {"Deployment": 3, "Job": 2},
    "autoscaling": {"HorizontalPodAutoscaler": 3},
    "ingress": {"Ingress": 2},
    "gateway": {"HTTPRoute": 1, "GRPCRoute": 1},
    "monitoring": {"ServiceMonitor": 1, "PrometheusRule": 1, "ConfigMap": 2},
    "little of all": {"NetworkPolicy": 0, "PodDisruptionBudget": 0, "ServiceAccount": 0},
}

KINDS = {"claimName": "PersistentVolumeClaim", "secretName": "Secret", "serviceAccountName": "ServiceAccount"}
"""Fields that name another object."""


@pytest.mark.parametrize("case", MATRIX)
def test_lint(case: str) -> None:
    """Helm's own checks find nothing."""
    done = helm("lint", "--strict", "--quiet", str(CHART), values=MATRIX[case])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_every_field_is_known(tmp_path: Path, version: str) -> None:
    """Every object of every case is one of Kubernetes, without a field that it does not know."""
    own = {
        yaml.safe_dump(found): None
        for case in MATRIX
        if case not in VERSIONS[version]
        for found in rendered(case)
        if found["apiVersion"] not in CUSTOM
    }
    assert len(own) > len(MATRIX)
    (tmp_path / "objects.yaml").write_text("---\n".join(own))
    command = [str(BIN / "kubernetes-validate"), f"-k={version}", "--strict", "--quiet"]
    done = subprocess.run(
        [*command, str(tmp_path / "objects.yaml")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


def test_an_unknown_field_would_be_found(tmp_path: Path) -> None:
    """The validator is strict: a misspelt field is one that it refuses."""
    bridge = next(found for found in rendered("defaults") if found["kind"] == "Deployment")
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({**bridge, "spec": {**bridge["spec"], "replica": 2}}))
    command = [str(BIN / "kubernetes-validate"), "-k=1.33", "--strict", "--quiet", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "replica" in done.stdout + done.stderr


@pytest.mark.parametrize("case", EXPECTED)
def test_what_there_is(case: str) -> None:
    """Each way to use the chart has the objects that it takes, and no more."""
    kinds = [found["kind"] for found in rendered(case)]
    assert {kind: kinds.count(kind) for kind in EXPECTED[case]} == EXPECTED[case]


@pytest.mark.parametrize("case", MATRIX)
def test_names_and_references(case: str) -> None:
    """No two objects have one name, and each claim, secret, account or service that is named is there or the user's."""
    objects = rendered(case)
    names = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert len(set(names)) == len(names)
    known = set(names) | {(kind, name) for kind, name in of_the_user(MATRIX[case])}
    assert references(objects) <= known


def of_the_user(values: dict[str, Any]) -> set[tuple[str, str]]:
    """Return what the values themselves name, which a user has made."""
    found = set()
    for name in strings(values):
        found |= {("Secret", name), ("PersistentVolumeClaim", name)}
    return found | {("ServiceAccount", "default")}


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def references(value: Any) -> set[tuple[str, str]]:
    """Return kind and name of everything that objects name."""
    found: set[tuple[str, str]] = set()
    if isinstance(value, list):
        return found.union(*map(references, value))
    if not isinstance(value, dict):
        return found
    for key, kind in KINDS.items():
        if key in value:
            found.add((kind, value[key]))
    for key in ("scaleTargetRef", "describedObject"):
        if key in value:
            found.add((value[key]["kind"], value[key]["name"]))
    if "backend" in value:
        found.add(("Service", value["backend"]["service"]["name"]))
    for reference in value.get("backendRefs", ()):
        found.add(("Service", reference["name"]))
    return found.union(*map(references, value.values()))


@pytest.mark.parametrize("case", MATRIX)
def test_every_selector_finds_its_pods(case: str) -> None:
    """Each Service, policy and budget selects pods of this release, and a Deployment its own alone."""
    objects = rendered(case)
    labelled = [
        found["spec"]["template"]["metadata"]["labels"]
        for found in objects
        if found["kind"] in ("Deployment", "Job")
    ]
    for found in objects:
        spec = found.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector"))
        if found["kind"] in ("ServiceMonitor", "PersistentVolumeClaim") or not selector:
            continue
        wanted = selector.get("matchLabels", selector if found["kind"] == "Service" else {})
        selected = [labels for labels in labelled if wanted.items() <= labels.items()]
        assert selected, found["metadata"]["name"]
        assert found["kind"] != "Deployment" or len(selected) == 1


def test_the_control_secret_is_long_enough() -> None:
    """The secret that is made is one that embedded takes, another each time."""
    import base64

    from embedded.control import SECRET

    secrets = []
    for case in ("defaults", "nfs"):
        (found,) = (found for found in rendered(case) if found["kind"] == "Secret")
        secrets.append(base64.b64decode(found["data"]["secret"]).decode())
    assert all(SECRET.fullmatch(secret) for secret in secrets)
    assert len(set(secrets)) == 2


def test_notes(tmp_path: Path) -> None:
    """What helm says after an installation names the release's own objects, and what is open."""
    environment = {**os.environ, "HELM_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [str(BIN / "helm"), "install", "demo", str(CHART), f"--namespace={NAMESPACE}", "--dry-run=client"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    assert "rollout status deployment/demo-lipsync-bridge" in notes
    assert "port-forward service/demo-lipsync-bridge 8086:80" in notes
    assert "bridge.tokens.existingSecret" in notes


def test_versions_are_the_projects() -> None:
    """The chart's version is the project's, and NVIDIA's release that of Compose."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert chart["kubeVersion"] == f">={min(VERSIONS)}.0-0"
    assert f'version = "{chart["version"]}"' in (ROOT / "pyproject.toml").read_text()
    assert chart["appVersion"] == chart["version"]
    assert f"TRITON_RELEASE={values['image']['tritonRelease']}" in (ROOT / ".env").read_text().splitlines()
