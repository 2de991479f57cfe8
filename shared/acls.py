"""Kafka ACLs: each service may do what it needs, and nothing of the others'.

`presstally acls` prints them as arguments of Kafka's own `kafka-acls.sh`; `--create` creates them. A broker with
an authorizer denies everything else.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest

from shared.kafka.config import KafkaConfig
from shared.settings import Settings
from shared.topics import (
    ARTICLES,
    COUNTER_ADJUSTMENTS,
    PAGE_VIEWS,
    PAGES_LIVE,
    REFUSED_ORIGINS,
    SITE_STRUCTURE,
    TOPICS,
    Topic,
)

Kind = Literal["topic", "group", "transactional-id"]
Operation = Literal["read", "write", "create", "describe", "alter", "alterconfigs", "describeconfigs"]
# Numbers of Kafka's protocol.
KINDS: Mapping[Kind, int] = {"topic": 2, "group": 3, "transactional-id": 5}
OPERATIONS: Mapping[Operation, int] = {
    "read": 3,
    "write": 4,
    "create": 5,
    "alter": 7,
    "describe": 8,
    "describeconfigs": 10,
    "alterconfigs": 11,
}
LITERAL, PREFIXED, ALLOW = 3, 4, 3
ANY_HOST = "*"

READS: Mapping[str, tuple[Topic, ...]] = {
    "ingest": (PAGES_LIVE, ARTICLES, COUNTER_ADJUSTMENTS, SITE_STRUCTURE),
    "stats": (PAGE_VIEWS, COUNTER_ADJUSTMENTS, ARTICLES, PAGES_LIVE, REFUSED_ORIGINS, SITE_STRUCTURE),
    "render": (ARTICLES, SITE_STRUCTURE),
}
"""In groups whose names begin with the service's. It writes what it cannot read to their dead letters."""
WRITES: Mapping[str, tuple[Topic, ...]] = {
    "ingest": (PAGE_VIEWS, ARTICLES, COUNTER_ADJUSTMENTS, REFUSED_ORIGINS, SITE_STRUCTURE),
    "stats": (),
    "render": (PAGES_LIVE,),
}
OPERATOR = "operator"
"""Creates topics, adds partitions and runs the commands: adjust, dlq, republish, verify, rebuild."""


class Acl(NamedTuple):
    """One operation that a principal may do."""

    kind: Kind
    name: str
    operation: Operation
    is_prefix: bool = False
    """The name is a prefix: it covers all names that begin with it."""


def acls() -> dict[str, list[Acl]]:
    """Return the ACLs of each service and of the operator. Read and write include describe."""
    found: dict[str, list[Acl]] = {}
    for service, topics in READS.items():
        found[service] = [Acl("topic", topic.name, "read") for topic in topics]
        found[service] += [Acl("topic", topic.dead_letters, "write") for topic in topics]
        found[service] += [Acl("group", f"{service}-", "read", is_prefix=True)]
    for service, topics in WRITES.items():
        found[service] += [Acl("topic", topic.name, "write") for topic in topics]
        used = dict.fromkeys(topic.name for topic in (*READS[service], *topics))
        found[service] += [Acl("topic", name, "describeconfigs") for name in used]
    found["ingest"] += [Acl("transactional-id", "presstally-ingest-", "write", is_prefix=True)]
    found["stats"] += [Acl("topic", topic.dead_letters, "describe") for topic in TOPICS]
    found["stats"] += [Acl("topic", topic.dead_letters, "describeconfigs") for topic in TOPICS]
    names = [name for topic in TOPICS for name in (topic.name, topic.dead_letters)]
    operations: tuple[Operation, ...] = ("create", "read", "write", "describeconfigs", "alterconfigs")
    found[OPERATOR] = [Acl("topic", name, operation) for name in names for operation in operations]
    found[OPERATOR].append(Acl("topic", PAGE_VIEWS.name, "alter"))
    found[OPERATOR].append(Acl("group", "ingest-relay", "describe"))  # republish reads its offset
    return found


def as_arguments(principal: str, acl: Acl) -> str:
    """Return an ACL as arguments of `kafka-acls.sh`."""
    pattern = " --resource-pattern-type prefixed" if acl.is_prefix else ""
    return f"--add --allow-principal {principal} --operation {acl.operation} --{acl.kind} {acl.name}{pattern}"


async def create_acls(kafka: KafkaConfig, principals: Mapping[str, str]) -> int:
    """Create the ACLs that are missing, and return how many there are now.

    Args:
        kafka: As a principal that may alter the cluster.
        principals: Of each service and of the operator: {"ingest": "User:ingest", …}.

    Raises:
        KafkaError: Kafka is unavailable or denies it.
    """
    admin = AIOKafkaAdminClient(**kafka.client, request_timeout_ms=10_000)
    await admin.start()
    count = 0
    try:
        for who, principal in principals.items():
            for acl in acls()[who]:
                pattern = PREFIXED if acl.is_prefix else LITERAL
                resource = (KINDS[acl.kind], acl.name, pattern)
                request = CreateAclsRequest(*resource, principal, ANY_HOST, OPERATIONS[acl.operation], ALLOW)
                response = await admin._send_request(request)  # noqa: SLF001 - aiokafka has no public call
                code, text = response.creation_responses[0]
                if code:
                    raise for_code(code)(f"{as_arguments(principal, acl)}: {text}")
                count += 1
    finally:
        await admin.close()
    return count


def _principal(text: str) -> tuple[str, str]:
    who, is_given, principal = text.partition("=")
    if who not in acls() or not is_given or not principal.startswith("User:"):
        raise argparse.ArgumentTypeError(f"{text!r} is not like ingest=User:name; choose from {', '.join(acls())}")
    return who, principal


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command and return its exit code.

    Args:
        arguments: The words after the program.
        program: How the operator called it, for the help.
    """
    parser = argparse.ArgumentParser(prog=program, description="The ACLs of services and operator.")
    parser.add_argument(
        "--principal",
        action="append",
        default=[],
        type=_principal,
        metavar="WHO=User:NAME",
        help=f"principal of a service or of the operator; default: User:presstally-WHO for {', '.join(acls())}",
    )
    parser.add_argument("--create", action="store_true", help="create them in Kafka, as the principal of the settings")
    given = parser.parse_args(list(arguments))
    principals = {who: f"User:presstally-{who}" for who in acls()} | dict(given.principal)
    if not given.create:
        for who, principal in principals.items():
            print("\n".join(as_arguments(principal, acl) for acl in acls()[who]))
        return 0
    from shared.cli import module_main

    async def create(settings: Settings) -> None:
        count = await create_acls(settings.kafka, principals)
        print(f"{count} ACLs are in Kafka")

    return module_main("acls", Settings, create, uses="Kafka")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], "python -m shared.acls"))
