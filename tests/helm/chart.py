"""The chart as helm renders it, and what the tests look for in it."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

__all__ = ["CHART", "MATRIX", "ROOT", "Objects", "containers", "helm", "pods", "refusal", "rendered"]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "docker" / "helm" / "lipsync"
BIN = ROOT / "build" / "helm" / "bin"
NAMESPACE = "faces"
RELEASE = "demo"
SHA256 = "0" * 64
FETCHED = {"name": "anna", "url": "https://example.org/anna.tar?signed=1", "sha256": SHA256}
L4 = {"name": "l4", "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L4"}, "replicas": 2}
SLICE = {"name": "slice", "resourceName": "nvidia.com/mig-1g.10gb", "runtimeClassName": "nvidia", "count": 1}
ON_GPUS = {"triton": {"cpu": {"enabled": False}, "gpuTypes": [L4, SLICE]}}
CLAIM = {"models": {"volume": "persistentVolumeClaim"}}
IMAGE = {"models": {"volume": "image", "image": {"reference": "registry.example.org/avatars:1"}}}
NFS = {"models": {"volume": "nfs", "nfs": {"server": "files.example.org", "path": "/models"}}}
METRICS = {"sessionsPerReplica": 4, "queueTimeUs": 5000, "cpuPercent": 80}

MATRIX: dict[str, dict[str, Any]] = {
    "defaults": {},
    "one claim for all": CLAIM,
    "claim of others": {"models": {**CLAIM["models"], "persistentVolumeClaim": {"existingClaim": "theirs"}}},
    "nfs": NFS,
    "image": IMAGE,
    "fetched into each pod": {"avatars": {"demo": False, "fetch": [FETCHED]}},
    "fetched into a claim": {**CLAIM, "avatars": {"fetch": [FETCHED]}},
    "fetched by a secret": {"avatars": {"demo": False, "existingSecret": "archives"}},
    "GPUs, a volume each": ON_GPUS,
    "GPUs, one claim": {**CLAIM, **ON_GPUS},
    "GPUs, image": {**IMAGE, **ON_GPUS},
    "GPUs beside CPUs": {**NFS, "triton": {"gpuTypes": [L4]}},
    "autoscaling": {
        "triton": {"autoscaling": {"enabled": True, **METRICS}, "gpuTypes": [L4]},
        "bridge": {"autoscaling": {"enabled": True}},
    },
    "tokens and TLS": {
        **CLAIM,
        "triton": {
            "controlSecret": "mine",
            "tls": {"serverSecret": "triton-tls", "clientSecret": "bridge-tls", "name": "triton"},
        },
        "bridge": {"tokens": {"existingSecret": "tokens"}, "tls": {"existingSecret": "cert"}},
    },
    "ingress": {
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "hosts": ["faces.example.org"],
            "tlsSecret": "cert",
            "grpc": {"enabled": True, "hosts": ["grpc.example.org"], "tlsSecret": "cert"},
        }
    },
    "gateway": {
        "gateway": {
            "enabled": True,
            "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https"}],
            "hosts": ["faces.example.org"],
            "grpc": {"enabled": True, "hosts": ["grpc.example.org"]},
        }
    },
    "load balancer": {
        "bridge": {"service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.0/24"]}}
    },
    "monitoring": {
        "monitoring": {
            name: {"enabled": True}
            for name in ("serviceMonitor", "prometheusRule", "dashboard", "prometheusAdapter")
        }
    },
    "private registry": {
        "image": {"registry": "registry.example.org/team", "tag": "7", "pullSecrets": ["pull"]},
        "commonLabels": {"team": "faces"},
        "networkPolicy": {
            "clients": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
            "fetch": [{"ipBlock": {"cidr": "192.0.2.9/32"}}],
        },
        "avatars": {"fetch": [FETCHED]},
    },
    "little of all": {
        "triton": {"cpu": {"replicas": 1}},
        "bridge": {"replicas": 1},
        "podDisruptionBudget": {"enabled": False},
        "topologySpread": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "serviceAccount": {"create": False},
    },
}
"""Values by what they stand for: each way to have avatars, Tritons and clients at least once."""

Objects = list[dict[str, Any]]


def helm(*arguments: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm, with values on its standard input."""
    program = BIN / "helm"
    if not program.exists():
        pytest.fail("expected build/helm/bin/helm, got none: make test-helm puts it there")
    given = ["--values=-"] if values is not None else []
    text = json.dumps(values) if values is not None else None
    return subprocess.run(
        [str(program), *arguments, *given],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def rendered(case: str) -> Objects:
    """Return the objects of a case of the matrix."""
    return [dict(found) for found in _rendered(case)]


@functools.cache
def _rendered(case: str) -> Objects:
    done = helm("template", RELEASE, str(CHART), f"--namespace={NAMESPACE}", values=MATRIX[case])
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def refusal(**values: Any) -> str:
    """Return the line that helm refuses values with."""
    done = helm("template", RELEASE, str(CHART), values=values)
    assert done.returncode != 0, "expected helm to refuse it, got objects"
    said = [
        line.strip() for line in done.stderr.splitlines() if not line.startswith(("level=", "Use --debug"))
    ]
    return [line for line in said if line][-1]


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the specification of each pod, or of each template of pods."""
    for found in objects:
        if found["kind"] == "Pod":
            yield found["metadata"]["name"], found["spec"]
        elif found["kind"] in ("Deployment", "Job"):
            yield found["metadata"]["name"], found["spec"]["template"]["spec"]


def containers(objects: Objects) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield each container, with the name and the specification of its pod."""
    for name, spec in pods(objects):
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            yield name, spec, container
