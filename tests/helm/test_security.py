"""Every pod is of Kubernetes' profile "restricted", has what it writes to, and bounds; policies open what is needed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helm.chart import MATRIX, Objects, containers, pods, rendered

pytestmark = pytest.mark.helm

VOLUMES = {"configMap", "emptyDir", "secret", "persistentVolumeClaim", "image"}
"""That "restricted" allows, of those that are used; nfs is the user's own choice, and a claim in its place."""

DNS, GRPC, METRICS, CLIENTS, BRIDGE_METRICS = 53, 8001, 8002, {8086, 50051}, 9086


@pytest.mark.parametrize("case", MATRIX)
def test_restricted(case: str) -> None:
    """No root, no more rights than at the start, no capability, seccomp's default, nothing of the host."""
    for _, spec, container in containers(rendered(case)):
        pod, own = spec["securityContext"], container["securityContext"]
        assert (pod["runAsNonRoot"], pod["runAsUser"], pod["fsGroup"]) == (True, 10001, 10001)
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        assert not any("hostPort" in port for port in container.get("ports", ()))


@pytest.mark.parametrize("case", MATRIX)
def test_volumes(case: str) -> None:
    """Every mount has its volume and every volume its mount; secrets and what is served are mounted to be read."""
    for name, spec in pods(rendered(case)):
        volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
        everyone = [*spec.get("initContainers", ()), *spec["containers"]]
        mounts = [
            (container["name"], mount)
            for container in everyone
            for mount in container.get("volumeMounts", ())
        ]
        assert {mount["name"] for _, mount in mounts} == volumes.keys(), name
        kinds = {kind for volume in volumes.values() for kind in volume.keys() - {"name"}}
        assert kinds <= VOLUMES | ({"nfs"} if "nfs" in str(MATRIX[case]) else set())
        for container, mount in mounts:
            writes = mount["name"] in ("tmp", "shm") or container in ("avatars", "engines")
            assert writes or mount["readOnly"] is True, (name, container, mount)


@pytest.mark.parametrize("case", MATRIX)
def test_what_triton_writes_to(case: str) -> None:
    """Triton has /tmp on the disk and /dev/shm in memory, with room for its queues, which its memory's limit covers."""
    for _, spec, container in containers(rendered(case)):
        if container["name"] != "triton":
            continue
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        paths = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
        assert "medium" not in paths["/tmp"]["emptyDir"]
        assert paths["/dev/shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "512Mi"}
        assert container["resources"]["limits"]["memory"].endswith("Gi")


@pytest.mark.parametrize("case", MATRIX)
def test_bounds(case: str) -> None:
    """Each container asks for processor and memory, and has no more memory than its limit."""
    for name, _, container in containers(rendered(case)):
        resources = container["resources"]
        assert {"cpu", "memory"} <= resources["requests"].keys(), (name, container["name"])
        assert "memory" in resources["limits"]


@pytest.mark.parametrize("case", MATRIX)
def test_nobody_can_ask_kubernetes(case: str) -> None:
    """No pod has a token for Kubernetes' API, or the addresses of other services among its variables."""
    for _, spec in pods(rendered(case)):
        assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert not {found["kind"] for found in rendered(case)} & {"Role", "RoleBinding", "ClusterRole"}


@pytest.mark.parametrize(
    "case", ["GPUs, a volume each", "GPUs, one claim", "GPUs, image", "GPUs beside CPUs"]
)
def test_gpus(case: str) -> None:
    """Who builds engines and who serves from them ask for the same GPU of the same nodes; nobody else asks for one."""
    serving, building = {}, {}
    for name, spec, container in containers(rendered(case)):
        limits = container["resources"]["limits"]
        gpus = {key: value for key, value in limits.items() if "/" in key}
        where = (spec.get("nodeSelector"), spec.get("tolerations"), spec.get("runtimeClassName"), str(gpus))
        if container["name"] == "triton" and not name.endswith("-cpu"):
            serving[name.rpartition("-")[2]] = where
        elif container["name"] == "engines":
            building[name.partition("-engines-")[2].partition("-")[0] or name.rpartition("-")[2]] = where
        else:
            assert gpus == {}
    assert serving == building
    assert serving


def policies(objects: Objects) -> dict[str, dict[str, Any]]:
    return {
        found["metadata"]["name"].rpartition("-")[2]: found["spec"]
        for found in objects
        if found["kind"] == "NetworkPolicy"
    }


def opened(rules: list[dict[str, Any]], peers: str) -> list[tuple[set[int], Any]]:
    """Return ports and peers of each rule."""
    return [({port["port"] for port in rule["ports"]}, rule.get(peers)) for rule in rules]


def components(peers: list[dict[str, Any]]) -> set[str]:
    """Return the components of this release among peers."""
    found = set()
    for peer in peers:
        selector = peer.get("podSelector", {})
        found |= {selector.get("matchLabels", {}).get("app.kubernetes.io/component", "")} - {""}
        for expression in selector.get("matchExpressions", ()):
            found |= set(expression["values"])
        assert "app.kubernetes.io/instance" in selector.get("matchLabels", {}), "another release's as well"
    return found


@pytest.mark.parametrize(
    ("case", "callers"),
    [("defaults", {"bridge"}), ("one claim for all", {"bridge", "avatars", "engines"})],
)
def test_who_reaches_triton(case: str, callers: set[str]) -> None:
    """On gRPC bridges and Jobs of this release, on metrics monitoring, on HTTP nobody; it calls nobody."""
    triton = policies(rendered(case))["triton"]
    grpc, metrics = opened(triton["ingress"], "from")
    assert grpc[0] == {GRPC}
    assert components(grpc[1]) == callers
    assert metrics[0] == {METRICS}
    assert metrics[1] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ]
    assert triton["egress"] == []
    assert triton["policyTypes"] == ["Ingress", "Egress"]


def test_who_reaches_bridges() -> None:
    """Everybody on the clients' ports, monitoring on that of metrics; bridges call Tritons and DNS alone."""
    bridge = policies(rendered("defaults"))["bridge"]
    assert opened(bridge["ingress"], "from")[0] == (CLIENTS, None)
    assert opened(bridge["ingress"], "from")[1][0] == {BRIDGE_METRICS}
    dns, triton = opened(bridge["egress"], "to")
    assert dns == ({DNS}, None)
    assert (triton[0], components(triton[1])) == ({GRPC}, {"triton"})


def test_clients_can_be_named() -> None:
    """Networks of clients are the only ones, but for helm's own test."""
    (_, peers), _ = opened(policies(rendered("private registry"))["bridge"]["ingress"], "from")
    assert peers[0] == {"ipBlock": {"cidr": "192.0.2.0/24"}}
    assert components(peers[1:]) == {"test"}


@pytest.mark.parametrize(
    ("case", "policy", "expected"),
    [
        ("fetched into each pod", "triton", [({DNS}, None), ({80, 443}, None)]),
        ("private registry", "triton", [({DNS}, None), None]),
        ("one claim for all", "jobs", [({DNS}, None), ({GRPC}, ["triton"])]),
        ("fetched into a claim", "jobs", [({DNS}, None), ({GRPC}, ["triton"]), ({80, 443}, None)]),
    ],
)
def test_where_avatars_come_from(case: str, policy: str, expected: list[Any]) -> None:
    """Only who fetches avatars may leave, by HTTP and HTTPS, or to where the values say."""
    rules = policies(rendered(case))[policy]["egress"]
    assert len(rules) == len(expected)
    for rule, wanted in zip(rules, expected, strict=True):
        if wanted is None:
            assert rule == {"to": [{"ipBlock": {"cidr": "192.0.2.9/32"}}]}
            continue
        ((ports, peers),) = opened([rule], "to")
        assert (ports, peers and sorted(components(peers))) == wanted
