"""How clients come in: Services, Ingress, Gateway, and names that the bridge answers to."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.datastructures import Headers

from bridge.access.errors import WrongHost
from bridge.access.origin import OriginRules
from bridge.config import load_config
from tests.helm.chart import rendered
from tests.helm.processes import container_of

pytestmark = pytest.mark.helm

SERVICE = "demo-lipsync-bridge"
ROUTE = {"parentRefs", "hostnames", "rules"}
RULE = {"matches", "timeouts", "backendRefs"}
"""Fields that are used of the Gateway API's first version."""


def of_kind(case: str, kind: str) -> list[dict[str, Any]]:
    return [found for found in rendered(case) if found["kind"] == kind]


def ports(case: str) -> dict[str, dict[str, Any]]:
    """Return the ports of the bridges' Service by name."""
    (service,) = (found for found in of_kind(case, "Service") if found["metadata"]["name"] == SERVICE)
    return {port["name"]: port for port in service["spec"]["ports"]}


def rules(case: str) -> OriginRules:
    """Return how a bridge of the case looks at ``Host``."""
    environment = {item["name"]: item["value"] for item in container_of(case, "bridge")["env"]}
    config = load_config([], {"BRIDGE_ALLOWED_HOSTS": environment["BRIDGE_ALLOWED_HOSTS"]})
    return OriginRules(config.allowed_hosts, ())


@pytest.mark.parametrize(
    ("case", "hosts"),
    [
        (
            "defaults",
            [SERVICE, f"{SERVICE}:80", f"{SERVICE}.faces", f"{SERVICE}.faces.svc.cluster.local", "10.1.2.3"],
        ),
        ("ingress", ["faces.example.org", "grpc.example.org", SERVICE]),
        ("gateway", ["faces.example.org", "grpc.example.org", SERVICE]),
    ],
)
def test_the_bridge_answers_to_its_names(case: str, hosts: list[str]) -> None:
    """It may be called by its Service's names in the cluster and by those that lead to it, and by no other."""
    checked = rules(case)
    for host in hosts:
        checked.check(Headers({"Host": host}))
    with pytest.raises(WrongHost):
        checked.check(Headers({"Host": "evil.example.org"}))


def test_ingress() -> None:
    """Each host leads to its port of the bridges; a quiet WebSocket is left alone; gRPC is spoken to as such."""
    http, grpc = of_kind("ingress", "Ingress")
    for found, host, port in ((http, "faces.example.org", "http"), (grpc, "grpc.example.org", "grpc")):
        (rule,) = found["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        assert (rule["host"], path["backend"]["service"]["port"]["name"]) == (host, port)
        assert port in ports("ingress")
        assert found["spec"]["tls"] == [{"secretName": "cert", "hosts": [host]}]
        assert found["spec"]["ingressClassName"] == "nginx"
    prefix = "nginx.ingress.kubernetes.io/"
    idle_s = load_config([], {}).idle_timeout_s
    for name in ("proxy-read-timeout", "proxy-send-timeout"):
        assert int(http["metadata"]["annotations"][prefix + name]) > idle_s
    assert grpc["metadata"]["annotations"][prefix + "backend-protocol"] == "GRPC"


def test_gateway() -> None:
    """Routes have the fields of the Gateway API alone, lead to the Service's ports, and let a WebSocket last."""
    (http,), (grpc,) = of_kind("gateway", "HTTPRoute"), of_kind("gateway", "GRPCRoute")
    for route, port in ((http, "http"), (grpc, "grpc")):
        assert route["apiVersion"] == "gateway.networking.k8s.io/v1"
        assert set(route["spec"]) == ROUTE
        (rule,) = route["spec"]["rules"]
        assert set(rule) <= RULE
        assert rule["backendRefs"] == [{"name": SERVICE, "port": ports("gateway")[port]["port"]}]
        assert route["spec"]["parentRefs"] == [
            {"name": "public", "namespace": "gateways", "sectionName": "https"}
        ]
    assert http["spec"]["rules"][0]["timeouts"] == {"request": "0s"}


def test_a_load_balancer_publishes_what_clients_use_alone() -> None:
    """Metrics have a Service of their own, which is of the cluster alone, as the Tritons' is."""
    services = {found["metadata"]["name"]: found["spec"] for found in of_kind("load balancer", "Service")}
    assert services[SERVICE]["type"] == "LoadBalancer"
    assert services[SERVICE]["loadBalancerSourceRanges"] == ["192.0.2.0/24"]
    assert set(ports("load balancer")) == {"http", "grpc"}
    assert {spec["type"] for name, spec in services.items() if name != SERVICE} == {"ClusterIP"}
    (tritons,) = (spec for name, spec in services.items() if name.endswith("-triton"))
    assert tritons["clusterIP"] == "None", "dns:/// gives the addresses of all"


@pytest.mark.parametrize(("case", "protocol"), [("defaults", "kubernetes.io/h2c"), ("tokens and TLS", None)])
def test_what_is_spoken_on_the_grpc_port(case: str, protocol: str | None) -> None:
    """A gateway that has to know is told of HTTP/2 without TLS, where there is none."""
    assert ports(case)["grpc"].get("appProtocol") == protocol
