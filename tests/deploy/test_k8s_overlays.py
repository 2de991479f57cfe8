"""The kustomize overlays, built by kubectl: Kubernetes's schemas, and checks of the operators' objects."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.acls import acls
from shared.topics import FEW_PARTITIONS, wanted_topics

ROOT = Path(__file__).parent.parent.parent
K8S = ROOT / "deploy/k8s"
TOOLS = Path(sys.executable).parent
BUILDS = ("base", "overlays/keda", "overlays/strimzi-cnpg")
PARTITIONS = 12
CUSTOM = {"ScaledObject", "TriggerAuthentication", "Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser", "Cluster"}
Object = dict[str, Any]


def built(name: str) -> str:
    command = [str(TOOLS / "kubectl"), "kustomize", str(K8S / name)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


TEXTS = {name: built(name) for name in BUILDS}
OBJECTS: dict[str, list[Object]] = {name: list(yaml.safe_load_all(text)) for name, text in TEXTS.items()}
WHOLE = OBJECTS["overlays/strimzi-cnpg"]


def of(kind: str, objects: list[Object] = WHOLE) -> dict[str, Object]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def pods(objects: list[Object]) -> dict[str, Object]:
    """Return {name: pod template} of each workload."""
    kinds = {"Deployment", "StatefulSet", "Job"}
    return {one["metadata"]["name"]: one["spec"]["template"] for one in objects if one["kind"] in kinds}


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Return whether a label selector matches these labels."""
    exact = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    listed = all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", []))
    return exact and listed


@pytest.mark.parametrize("name", BUILDS)
def test_built_objects_match_their_schema(name: str, tmp_path: Path) -> None:
    """Each built-in object passes its schema strictly; only the operators' kinds are unknown."""
    file = tmp_path / "built.yaml"
    file.write_text(TEXTS[name])
    command = [str(TOOLS / "kubernetes-validate"), "--strict", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert set(re.findall(r"Couldn't find schema for kind (\w+)", output)) == CUSTOM & {
        one["kind"] for one in OBJECTS[name]
    }


@pytest.mark.parametrize("name", BUILDS)
def test_selectors_and_references_resolve(name: str) -> None:
    """Services, budgets and autoscalers select existing objects, and each mount has its volume."""
    objects = OBJECTS[name]
    templates = pods(objects)
    for kind in ("Service", "PodDisruptionBudget"):
        for other, one in of(kind, objects).items():
            selector = one["spec"]["selector"]
            labels = selector.get("matchLabels", selector)
            chosen = [
                pod for pod in templates if selects({"matchLabels": labels}, templates[pod]["metadata"]["labels"])
            ]
            assert chosen == [other], (kind, other)
    workloads = {(one["kind"], one["metadata"]["name"]) for one in objects}
    scaled = []
    for one in [*of("HorizontalPodAutoscaler", objects).values(), *of("ScaledObject", objects).values()]:
        target = one["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in workloads
        scaled.append(target["name"])
    assert sorted(scaled) == ["articles", "ingest", "render", "stats"]  # one autoscaler for each, never two
    for pod in templates.values():
        spec = pod["spec"]
        (container,) = spec["containers"]
        volumes = {volume["name"] for volume in spec.get("volumes", [])} | {"spool"}
        assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes


@pytest.mark.parametrize("name", BUILDS)
def test_every_image_is_exact_and_set_in_one_place(name: str) -> None:
    """No image is without a tag or `latest`, and the kustomization's list, where digests are set, names them all."""
    listed = {one["name"] for one in yaml.safe_load((K8S / "base/kustomization.yaml").read_text())["images"]}
    for pod in pods(OBJECTS[name]).values():
        image = pod["spec"]["containers"][0]["image"]
        bare, _, tag = image.partition(":")
        assert bare in listed
        assert re.fullmatch(r"\d+\.\d+\.\d+", tag), image


def test_counters_scale_by_consumer_lag() -> None:
    """KEDA reads the lag of the counters' group, and keeps between two counters and the number of partitions."""
    for name in ("overlays/keda", "overlays/strimzi-cnpg"):
        assert "stats" not in of("HorizontalPodAutoscaler", OBJECTS[name])
        assert "replicas" not in of("Deployment", OBJECTS[name])["stats"]["spec"]
        (scaled,) = of("ScaledObject", OBJECTS[name]).values()
        spec = scaled["spec"]
        assert 2 <= spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"] == PARTITIONS
        down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        assert down["stabilizationWindowSeconds"] >= 300
        (trigger,) = spec["triggers"]
        assert trigger["type"] == "kafka"
        metadata = trigger["metadata"]
        assert all(isinstance(value, str) for value in metadata.values())
        assert (metadata["consumerGroup"], metadata["topic"]) == ("stats-counter", "page-views")
        assert int(metadata["lagThreshold"]) > int(metadata["activationLagThreshold"])
        assert metadata["allowIdleConsumers"] == "false"
    access = of("TriggerAuthentication")["stats-lag"]
    assert trigger["authenticationRef"] == {"name": "stats-lag"}
    secrets = of("Secret") | of("KafkaUser")
    for reference in access["spec"]["secretTargetRef"]:
        assert reference["name"] in secrets or reference["name"] == "presstally-cluster-ca-cert"


def test_kafka_has_three_brokers_with_tls_and_scram() -> None:
    """Strimzi's Kafka keeps each record on at least two of three brokers, and requires TLS and a password."""
    (pool,) = of("KafkaNodePool").values()
    assert pool["metadata"]["labels"]["strimzi.io/cluster"] in of("Kafka")
    assert (pool["spec"]["replicas"], sorted(pool["spec"]["roles"])) == (3, ["broker", "controller"])
    assert all(volume["type"] == "persistent-claim" for volume in pool["spec"]["storage"]["volumes"])
    kafka = of("Kafka")["presstally"]["spec"]["kafka"]
    pom = (ROOT / "deploy/local/pom.xml").read_text()
    assert kafka["version"] == re.findall(r"<version>(\d+\.\d+\.\d+)</version>", pom)[0]
    (listener,) = kafka["listeners"]
    assert (listener["tls"], listener["authentication"]) == (True, {"type": "scram-sha-512"})
    assert kafka["authorization"] == {"type": "simple"}
    config = kafka["config"]
    assert config["auto.create.topics.enable"] is False
    assert config["min.insync.replicas"] == config["transaction.state.log.min.isr"] == 2
    assert {"topicOperator", "userOperator"} <= set(of("Kafka")["presstally"]["spec"]["entityOperator"])


def test_topics_match_the_code() -> None:
    """Each topic, with its dead letters, has the partitions and the configuration that the code gives it."""
    wanted = {topic.name: topic.config for topic in wanted_topics(3)}
    topics = of("KafkaTopic")
    assert set(topics) == set(wanted)
    for name, topic in topics.items():
        config = {key: str(value) for key, value in topic["spec"]["config"].items()}
        assert config == wanted[name]
        assert (topic["spec"]["partitions"], topic["spec"]["replicas"]) == (FEW_PARTITIONS.get(name, PARTITIONS), 3)


def test_each_service_has_its_own_user_and_reads_its_password() -> None:
    """Each service connects as a user of its own over TLS, and no user but the operator may create anything."""
    settings = of("ConfigMap")[next(name for name in of("ConfigMap") if name.startswith("presstally"))]["data"]
    assert settings["KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert settings["KAFKA_BOOTSTRAP"].endswith(":9093")
    users = of("KafkaUser")
    for name, service in {"ingest": "ingest", "articles": "ingest", "stats": "stats", "render": "render"}.items():
        (container,) = pods(WHOLE)[name]["spec"]["containers"]
        environment = {one["name"]: one for one in container["env"]}
        user = environment["KAFKA_SASL_USERNAME"]["value"]
        assert user == f"presstally-{service}"
        assert user in users
        assert environment["KAFKA_SASL_PASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": user, "key": "password"}
        assert environment["DATABASE_URL"]["valueFrom"]["secretKeyRef"] == {"name": "presstally-db-app", "key": "uri"}
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert str(Path(settings["KAFKA_CA_FILE"]).parent) in mounted
    for name, user in users.items():
        assert user["spec"]["authentication"] == {"type": "scram-sha-512"}
        for acl in user["spec"]["authorization"]["acls"]:
            assert acl["resource"]["type"] in {"topic", "group", "transactionalId"}
            assert acl["resource"]["name"] != "*"
            assert set(acl["operations"]) <= {"Read", "Write", "Describe", "DescribeConfigs"} or (
                name == "presstally-operator"
                and set(acl["operations"]) - {"Read", "Write", "Describe", "DescribeConfigs"}
                <= {"Create", "Alter", "AlterConfigs"}
            )


def test_users_have_exactly_the_acls_of_the_code() -> None:
    """Each user's access list is exactly `shared/acls.py`'s, with the Describe that reading and writing imply."""
    kinds = {"topic": "topic", "group": "group", "transactionalId": "transactional-id"}

    def shown(user: Object) -> set[tuple[str, str, bool, str]]:
        acls = user["spec"]["authorization"]["acls"]
        found = {
            (kinds[acl["resource"]["type"]], acl["resource"]["name"], acl["resource"]["patternType"] == "prefix", one)
            for acl in acls
            for one in (operation.lower() for operation in acl["operations"])
        }
        assert all(acl.get("type", "allow") == "allow" and acl.get("host", "*") == "*" for acl in acls)
        return found

    users = of("KafkaUser")
    assert set(users) == {f"presstally-{account}" for account in acls()} | {"presstally-keda"}
    for account, wanted in acls().items():
        exact = {(acl.kind, acl.name, acl.is_prefix, acl.operation) for acl in wanted}
        implied = {
            (kind, name, is_prefix, "describe")
            for kind, name, is_prefix, operation in exact
            if operation in {"read", "write"}
        }
        is_shown = shown(users[f"presstally-{account}"])
        assert exact <= is_shown, account
        assert is_shown <= exact | implied, account
    assert shown(users["presstally-keda"]) == {
        ("topic", "page-views", False, "describe"),
        ("group", "stats-counter", False, "describe"),
    }


def test_only_the_collector_writes_views_and_only_the_counter_reads_them() -> None:
    """No service but ingest may write page views, none but stats may read them, and none may write another's topics."""

    def may(operation: str, topic: str) -> set[str]:
        return {
            name.removeprefix("presstally-")
            for name, user in of("KafkaUser").items()
            for acl in user["spec"]["authorization"]["acls"]
            if acl["resource"]["name"] == topic and operation in acl["operations"]
        } - {"operator"}

    assert (may("Write", "page-views"), may("Read", "page-views")) == ({"ingest"}, {"stats"})
    assert (may("Write", "articles"), may("Read", "articles")) == ({"ingest"}, {"ingest", "stats", "render"})
    assert (may("Write", "pages-live"), may("Read", "pages-live")) == ({"render"}, {"ingest", "stats"})
    writes, reads = may("Write", "counter-adjustments"), may("Read", "counter-adjustments")
    assert (writes, reads) == ({"ingest"}, {"ingest", "stats"}), "ingest compares opening balances after a restore"


def test_postgres_has_three_instances_and_owner_with_createrole() -> None:
    """Each commit waits for a second instance, and the owner may create the services' roles."""
    spec = of("Cluster")["presstally-db"]["spec"]
    assert spec["instances"] == 3
    assert spec["postgresql"]["synchronous"]["number"] == 1
    assert spec["bootstrap"]["initdb"]["owner"] == "presstally"
    (role,) = spec["managed"]["roles"]
    assert (role["name"], role["createrole"], role.get("superuser", False)) == ("presstally", True, False)
    assert re.search(r":\d+\.\d+$", spec["imageName"])


def test_network_policies_allow_only_named_traffic() -> None:
    """Everything is denied by default; only Kafka's clients reach Kafka, and the gateway never reaches Postgres."""
    policies = {name: one["spec"] for name, one in of("NetworkPolicy").items()}
    assert policies["closed"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "services-reach-their-stores" not in policies  # the base's broader one

    def reach(port: int) -> set[str]:
        labels = {name: pod["metadata"]["labels"] for name, pod in pods(WHOLE).items()}
        return {
            name
            for name in labels
            for spec in policies.values()
            if selects(spec["podSelector"], labels[name])
            for rule in spec.get("egress", [])
            if any(one["port"] == port for one in rule.get("ports", []))
        }

    assert reach(9093) == {"ingest", "articles", "stats", "render"}
    assert reach(5432) == {"ingest", "articles", "stats", "render", "migrate"}
    assert reach(443) == {"articles", "render"}
    for name, port in (("kafka", 9093), ("postgres", 5432)):
        named = [rule for rule in policies[name]["ingress"] if rule.get("ports") == [{"port": port}]]
        assert len(named) == 1
        assert all("from" in rule for rule in policies[name]["ingress"])
