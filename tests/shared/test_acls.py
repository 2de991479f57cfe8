"""Kafka ACLs: each service has what it needs, and no more."""

import argparse

import pytest

from services.ingest.articles.witness import GROUP
from shared import acls as module
from shared.acls import OPERATOR, WRITES, Acl, acls, as_arguments
from shared.topics import TOPICS

SERVICES = ("ingest", "stats", "render")


def test_each_service_and_the_operator_have_acls() -> None:
    """There are ACLs for the three services and the operator, none twice."""
    found = acls()
    assert sorted(found) == sorted([*SERVICES, OPERATOR])
    assert all(len(set(of_one)) == len(of_one) for of_one in found.values())


@pytest.mark.parametrize("service", SERVICES)
def test_service_writes_its_own_topics_and_dead_letters(service: str) -> None:
    """A service writes its topics, and the dead letters of those that it reads."""
    found = acls()[service]
    read = {acl.name for acl in found if (acl.kind, acl.operation) == ("topic", "read")}
    written = {acl.name for acl in found if (acl.kind, acl.operation) == ("topic", "write")}
    assert written == {topic.name for topic in WRITES[service]} | {f"{name}.dlq" for name in read}
    assert "create" not in {acl.operation for acl in found}


def test_every_topic_has_one_writing_service() -> None:
    """No topic is written by two services."""
    written = [topic for service in SERVICES for topic in WRITES[service]]
    assert sorted(topic.name for topic in written) == sorted(topic.name for topic in TOPICS)


def test_groups_are_limited_to_the_services_prefix() -> None:
    """A service joins only groups whose names begin with its own."""
    for service in SERVICES:
        groups = [acl for acl in acls()[service] if acl.kind == "group"]
        assert [(acl.name, acl.is_prefix) for acl in groups] == [(f"{service}-", True)]


def test_operator_reads_no_group_but_the_offset_of_the_relay() -> None:
    """The operator's only group is the relay's, whose offset `republish` reads; it joins none."""
    groups = [acl for acl in acls()[OPERATOR] if acl.kind == "group"]
    assert groups == [Acl("group", GROUP, "describe")]


def test_arguments_are_those_of_kafka_acls() -> None:
    """Literal and prefixed ACLs are written as Kafka's own command takes them."""
    assert as_arguments("User:a", Acl("topic", "articles", "read")) == (
        "--add --allow-principal User:a --operation read --topic articles"
    )
    assert as_arguments("User:a", Acl("group", "stats-", "read", is_prefix=True)).endswith(
        "--group stats- --resource-pattern-type prefixed"
    )


@pytest.mark.parametrize("text", ["ingest", "ingest=ann", "nobody=User:ann", "=User:ann"])
def test_principal_in_another_form_is_rejected(text: str) -> None:
    """A principal is given as SERVICE=User:NAME; the message names the services."""
    with pytest.raises(argparse.ArgumentTypeError, match="choose from ingest, stats, render, operator"):
        module._principal(text)


def test_command_prints_all_acls(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --create the command prints one line for each ACL, with the principals that were given."""
    assert module.main(["--principal", "stats=User:counting"], "presstally acls") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == sum(map(len, acls().values()))
    assert sum("User:counting" in line for line in lines) == len(acls()["stats"])
    assert not any("User:presstally-stats" in line for line in lines)
