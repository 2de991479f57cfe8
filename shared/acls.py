"""Who may do what in Kafka: each service what it needs, and nothing of the others'.

`python -m shared.acls` prints the rights as arguments of Kafka's own `kafka-acls.sh`; with `--create` they are made.
What nobody is allowed is forbidden once the broker has an authorizer.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from typing import Literal, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest

from shared.kafka.connection import KafkaConfig
from shared.settings import Settings, SettingsError
from shared.topics import ARTICLES, COUNTER_ADJUSTMENTS, PAGE_VIEWS, PAGES_LIVE, TOPICS, Topic

Kind = Literal["topic", "group", "transactional-id"]
Operation = Literal["read", "write", "create", "describe"]
# Kafka's own numbers.
KINDS: Mapping[Kind, int] = {"topic": 2, "group": 3, "transactional-id": 5}
OPERATIONS: Mapping[Operation, int] = {"read": 3, "write": 4, "create": 5, "describe": 8}
LITERAL, PREFIXED, ALLOW = 3, 4, 3
ANY_HOST = "*"

READS: Mapping[str, tuple[Topic, ...]] = {
    "ingest": (PAGES_LIVE,),
    "stats": (PAGE_VIEWS, COUNTER_ADJUSTMENTS, ARTICLES, PAGES_LIVE),
    "render": (ARTICLES,),
}
"""In groups whose names begin with the service's. It writes what it cannot read to their dead letters."""
WRITES: Mapping[str, tuple[Topic, ...]] = {
    "ingest": (PAGE_VIEWS, ARTICLES, COUNTER_ADJUSTMENTS),
    "stats": (),
    "render": (PAGES_LIVE,),
}
OPERATOR = "operator"
"""Whoever creates topics and runs the commands: adjust, dlq, verify, rebuild."""


class Acl(NamedTuple):
    """One thing that somebody may do."""

    kind: Kind
    name: str
    operation: Operation
    is_prefix: bool = False
    """The name stands for all that begin with it."""


def rights() -> dict[str, list[Acl]]:
    """Return the rights of each service, and of the operator. Who may read or write may also describe."""
    found: dict[str, list[Acl]] = {}
    for service, topics in READS.items():
        found[service] = [Acl("topic", topic.name, "read") for topic in topics]
        found[service] += [Acl("topic", topic.dead_letters, "write") for topic in topics]
        found[service] += [Acl("group", f"{service}-", "read", is_prefix=True)]
    for service, topics in WRITES.items():
        found[service] += [Acl("topic", topic.name, "write") for topic in topics]
    found["ingest"] += [Acl("transactional-id", "presstally-ingest-", "write", is_prefix=True)]
    found["stats"] += [Acl("topic", topic.dead_letters, "describe") for topic in TOPICS]
    names = [name for topic in TOPICS for name in (topic.name, topic.dead_letters)]
    operations: tuple[Operation, ...] = ("create", "read", "write")
    found[OPERATOR] = [Acl("topic", name, operation) for name in names for operation in operations]
    return found


def as_arguments(principal: str, right: Acl) -> str:
    """Return a right as arguments of `kafka-acls.sh`."""
    pattern = " --resource-pattern-type prefixed" if right.is_prefix else ""
    return f"--add --allow-principal {principal} --operation {right.operation} --{right.kind} {right.name}{pattern}"


async def create_rights(kafka: KafkaConfig, principals: Mapping[str, str]) -> int:
    """Make the rights, and return how many. Those that are there already stay.

    Args:
        kafka: As somebody who may alter the cluster.
        principals: Who each service, and the operator, is: {"ingest": "User:ingest", …}.

    Raises:
        KafkaError: Kafka cannot be reached or refuses.
    """
    admin = AIOKafkaAdminClient(**kafka.client, request_timeout_ms=10_000)
    await admin.start()
    made = 0
    try:
        for who, principal in principals.items():
            for right in rights()[who]:
                pattern = PREFIXED if right.is_prefix else LITERAL
                place = (KINDS[right.kind], right.name, pattern)
                request = CreateAclsRequest(*place, principal, ANY_HOST, OPERATIONS[right.operation], ALLOW)
                answer = await admin._send_request(request)  # noqa: SLF001 - it has no other door
                code, text = answer.creation_responses[0]
                if code:
                    raise for_code(code)(f"{as_arguments(principal, right)}: {text}")
                made += 1
    finally:
        await admin.close()
    return made


def _principal(text: str) -> tuple[str, str]:
    who, is_given, principal = text.partition("=")
    if who not in rights() or not is_given or not principal.startswith("User:"):
        raise argparse.ArgumentTypeError(f"{text!r} is not like ingest=User:name; there are {', '.join(rights())}")
    return who, principal


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shared.acls", description="Who may do what in Kafka.")
    parser.add_argument(
        "--principal",
        action="append",
        default=[],
        type=_principal,
        metavar="WHO=User:NAME",
        help=f"who is who; default: User:presstally-WHO for {', '.join(rights())}",
    )
    parser.add_argument("--create", action="store_true", help="make them in Kafka, as who the settings say we are")
    arguments = parser.parse_args()
    principals = {who: f"User:presstally-{who}" for who in rights()} | dict(arguments.principal)
    if not arguments.create:
        for who, principal in principals.items():
            print("\n".join(as_arguments(principal, right) for right in rights()[who]))
        return 0
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(f"rights: {error}", file=sys.stderr)
        return 1
    try:
        made = asyncio.run(create_rights(settings.kafka, principals))
    except (KafkaError, OSError) as error:
        print(f"rights: {asyncio.run(settings.kafka.describe_error(error))}", file=sys.stderr)
        return 1
    print(f"{made} rights are there")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
