"""Values: each has a default and a comment, what cannot be is refused in one sentence, every setting can be given."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.config import BridgeConfig, env_name, load_config
from tests.helm.chart import CHART, MATRIX, containers, helm, refusal, rendered

pytestmark = pytest.mark.helm

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
OF_THE_CHART = {
    *(
        "host",
        "port",
        "grpc_port",
        "metrics_host",
        "metrics_port",
        "upstreams",
        "resolve_timeout_s",
        "allowed_hosts",
    ),
    *("shutdown_timeout_s", "triton_secret_file", "tokens_file", "tls_cert_file", "tls_key_file"),
    *("triton_ca_file", "triton_cert_file", "triton_key_file", "triton_tls_name"),
}
"""Settings that the chart makes of other values."""
OF_ONE_MACHINE = {
    *("num_servers", "start_port", "port_step"),
    *(
        "packages_dir",
        "avatars_dir",
        "model_repository",
        "packages_replace",
        "import_memory_gb",
        "import_timeout_s",
    ),
}
"""Settings of Tritons and importers on the bridge's own machine, which has none here."""


def test_every_default_is_in_the_schema() -> None:
    """values.yaml has each value that the schema knows, but for what an entry of a list may say."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    assert paths(defaults, SCHEMA) == []


def paths(values: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """Return the values that one of both lacks."""
    known = schema.get("properties")
    if known is None or path in ("/bridge/settings", "/global"):
        return []
    missing = [f"{path}/{key}" for key in known.keys() ^ values.keys() if key != "global"]
    for key in known.keys() & values.keys():
        if isinstance(values[key], dict):
            missing += paths(values[key], known[key], f"{path}/{key}")
    return missing


def test_the_schema_is_strict() -> None:
    """No object of ours takes a key that nobody knows."""
    loose = [
        path
        for path, found in objects(SCHEMA)
        if "properties" in found and found.get("additionalProperties") is not False
    ]
    assert loose == []


def objects(schema: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = [(path, schema)] if isinstance(schema, dict) else []
    items = (
        schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    )
    return found + [item for key, value in items for item in objects(value, f"{path}/{key}")]


def test_every_setting_of_the_bridge_can_be_given() -> None:
    """The schema knows each setting by its variable, but for those that the chart makes itself."""
    names = {field.name for field in dataclasses.fields(BridgeConfig)}
    assert names >= OF_THE_CHART | OF_ONE_MACHINE
    expected = {env_name(name) for name in names - OF_THE_CHART - OF_ONE_MACHINE}
    assert set(SCHEMA["properties"]["bridge"]["properties"]["settings"]["properties"]) == expected


@pytest.mark.parametrize("case", MATRIX)
def test_the_bridge_takes_its_environment(case: str) -> None:
    """What the bridge is given is read by the real bridge's configuration, but for files, which are mounted there."""
    (bridge,) = (found for name, _, found in containers(rendered(case)) if found["name"] == "bridge")
    environment = {variable["name"]: variable["value"] for variable in bridge["env"]}
    assert len(environment) == len(bridge["env"]), "a variable twice"
    files = {name for name, value in environment.items() if value.startswith("/")}
    mounts = [mount["mountPath"] for mount in bridge["volumeMounts"]]
    assert all(any(environment[name].startswith(f"{mount}/") for mount in mounts) for name in files)
    known = {env_name(field.name) for field in dataclasses.fields(BridgeConfig)}
    assert environment.keys() <= known
    without = {
        name: value for name, value in environment.items() if name not in files and "_TLS_NAME" not in name
    }
    config = load_config([], without)
    assert config.upstreams == ("dns:///demo-lipsync-triton:8001",)
    assert (config.host, config.metrics_host) == ("0.0.0.0", "0.0.0.0")


def test_settings_reach_the_bridge() -> None:
    """Text and numbers of bridge.settings are variables, and numbers stay what they are, however large."""
    settings = {
        "BRIDGE_INFER_TIMEOUT_S": 2.5,
        "BRIDGE_REQUESTS_MAX": 4096,
        "BRIDGE_MAX_CONNECTIONS": 1_000_000,
    }
    done = helm("template", "demo", str(CHART), values={"bridge": {"settings": settings}})
    objects = [found for found in yaml.safe_load_all(done.stdout) if found]
    (bridge,) = (found for _, _, found in containers(objects) if found["name"] == "bridge")
    environment = {item["name"]: item["value"] for item in bridge["env"]}
    config = load_config([], {name: value for name, value in environment.items() if value[0] != "/"})
    assert (config.infer_timeout_s, config.requests_max, config.max_connections) == (2.5, 4096, 1_000_000)
    assert config.log_format == "json"


REFUSED = yaml.safe_load((Path(__file__).parent / "refused.yaml").read_text())


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused(case: str) -> None:
    """A wrong value ends helm, and the last line says which and why."""
    assert REFUSED[case]["sentence"] in refusal(**REFUSED[case]["values"])
