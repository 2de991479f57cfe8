"""The kustomize base, read as YAML: hardening, probes and policies of each workload."""

from pathlib import Path
from typing import Any

import pytest
import yaml

BASE = Path(__file__).parent.parent.parent / "deploy/k8s/base"
KUSTOMIZATION = yaml.safe_load((BASE / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    one for file in KUSTOMIZATION["resources"] for one in yaml.safe_load_all((BASE / file).read_text()) if one
]
WORKLOADS = {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] in {"Deployment", "StatefulSet", "Job"}}
SERVICES = {
    "ingest": ["ingest", "collector"],
    "articles": ["ingest", "articles", "newsroom"],
    "stats": ["stats", "counter", "widget"],
    "render": ["render", "builder", "site"],
}


@pytest.mark.parametrize("name", WORKLOADS)
def test_each_pod_is_hardened(name: str) -> None:
    """Each pod is non-root and read-only, without a token, and without capabilities but the gateway's one."""
    pod = WORKLOADS[name]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"]["drop"] == ["ALL"]
    assert security["capabilities"].get("add", []) == (["NET_BIND_SERVICE"] if name == "gateway" else [])
    assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", SERVICES)
def test_services_have_probes_budgets_and_scaling(name: str) -> None:
    """Liveness and readiness differ, pods have time to stop, and each service has a budget and an autoscaler."""
    pod = WORKLOADS[name]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    # Guards against a portal without counters while counting waits for an operator.
    role = {"stats": "?role=widget", "render": "?role=site"}.get(name, "")
    assert container["readinessProbe"]["httpGet"]["path"] == f"/readyz{role}"
    assert container["args"] == SERVICES[name]
    assert pod["terminationGracePeriodSeconds"] > 5 + 9  # before the stop, and the stop
    kinds = {one["kind"] for one in OBJECTS if one["metadata"]["name"] == name}
    assert {"Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"} <= kinds


def test_collectors_keep_their_spools_and_counters_do_not_surge() -> None:
    """Each collector has its own disk for its spool; a rollout of counters never starts a surplus pod."""
    ingest = WORKLOADS["ingest"]
    assert ingest["kind"] == "StatefulSet"
    (claim,) = ingest["spec"]["volumeClaimTemplates"]
    (container,) = ingest["spec"]["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    environment = {one["name"]: one.get("value") for one in container["env"]}
    assert mounts[claim["metadata"]["name"]] == environment["PRESSTALLY_SPOOL"]
    assert WORKLOADS["stats"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_network_policies_deny_by_default() -> None:
    """A policy denies everything; only the gateway accepts traffic from anywhere."""
    policies = {one["metadata"]["name"]: one["spec"] for one in OBJECTS if one["kind"] == "NetworkPolicy"}
    assert policies["closed"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    public = [name for name, spec in policies.items() for rule in spec.get("ingress", []) if "from" not in rule]
    assert public == ["gateway-is-public"]
