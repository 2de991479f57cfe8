"""Compares topics with what they must be, and names what differs, what that does and the command that mends it."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from shared.kafka.config import KafkaConfig
from shared.kafka.topic_config import TopicState, alter_config, read_topics

CREATE_COMMAND = "presstally topics"
APPLY_COMMAND = "presstally topics apply"
ACLS_COMMAND = "presstally acls --create"
PARTITIONS_COMMAND = "presstally ingest partitions add"
REPLICAS_ADVICE = "see docs/runbooks/TopicMisconfigured.md for `kafka-reassign-partitions.sh`"
UNLIMITED = "-1"
HOUR_MS = 3_600_000
AT_LEAST = frozenset({"retention.ms", "retention.bytes", "max.message.bytes"})
"""Properties that may be higher than asked; -1 is no limit."""
MIN_IN_SYNC = "min.insync.replicas"
RETENTION = "retention.ms"
CONSEQUENCES: Mapping[str, str] = {
    "max.message.bytes": "Kafka refuses large records",
    MIN_IN_SYNC: "an acknowledged record may be lost with one broker, or Kafka accepts none",
    "replicas": "records are lost with their brokers",
    "partitions": "fewer counters can share the work than is planned",
    "topic": "nothing can be written to it or read from it",
    "configuration": "it cannot be checked",
}
"""What follows from a property of any topic that is not as it must be."""
PROPERTIES = ("topic", "configuration", "partitions", "replicas")
"""What is compared beside the properties of Kafka."""


@dataclass(frozen=True)
class WantedTopic:
    """What a topic must be."""

    name: str
    config: Mapping[str, str]
    """Kafka's names and values."""
    replicas: int
    """At least."""
    partitions: int | None = None
    """At least; None: any number."""
    retention_ms_max: int | None = None
    consequences: Mapping[str, str] = field(default_factory=dict)
    """What follows from a property that is not as it must be, beside CONSEQUENCES."""


@dataclass(frozen=True)
class Deviation:
    """A property of a topic that is not as it must be."""

    topic: str
    name: str
    """Of the property, as Kafka has it, or one of PROPERTIES."""
    found: str
    wanted: str
    consequence: str
    remedy: str
    """What mends it, as a phrase with the command."""

    def __str__(self) -> str:
        """Return a message for an operator."""
        found, wanted = _readable(self.name, self.found), _readable(self.name, self.wanted)
        return f"topic {self.topic}: {self.name} is {found} instead of {wanted}: {self.consequence}; {self.remedy}"

    @property
    def is_config(self) -> bool:
        """Whether it is a property of Kafka's configuration, which `apply` can set."""
        return self.name not in PROPERTIES


def _readable(name: str, value: str) -> str:
    is_time = name == RETENTION and value.isdigit()
    return f"{value} ({int(value) / HOUR_MS:g} hours)" if is_time else value


def find_deviations(wanted: WantedTopic, state: TopicState | None) -> list[Deviation]:
    """Compare a topic with what it must be; `state` is None if there is no such topic."""

    def deviation(name: str, found: str, expected: str, remedy: str) -> Deviation:
        consequence = wanted.consequences.get(name) or CONSEQUENCES[name]
        return Deviation(wanted.name, name, found, expected, consequence, remedy)

    if state is None:
        return [deviation("topic", "missing", "present", f"run `{CREATE_COMMAND}`")]
    found = []
    if wanted.partitions is not None and state.partitions < wanted.partitions:
        remedy = f"run `{PARTITIONS_COMMAND} {wanted.partitions}`"
        found.append(deviation("partitions", str(state.partitions), str(wanted.partitions), remedy))
    if state.replicas < wanted.replicas:
        found.append(deviation("replicas", str(state.replicas), str(wanted.replicas), REPLICAS_ADVICE))
    if state.config is None:
        remedy = f"allow DescribeConfigs: run `{ACLS_COMMAND}`"
        return [*found, deviation("configuration", "not readable", "readable", remedy)]
    for name, value in wanted.config.items():
        actual = state.config.get(name, "")
        expected = str(min(int(value), state.replicas)) if name == MIN_IN_SYNC else value
        if not _is_as_wanted(wanted, name, actual, expected, state.replicas):
            found.append(deviation(name, actual, expected, f"run `{APPLY_COMMAND}`"))
    return found


def _is_as_wanted(wanted: WantedTopic, name: str, found: str, expected: str, replicas: int) -> bool:
    if name == "cleanup.policy":
        return set(found.split(",")) == set(expected.split(","))
    if name == MIN_IN_SYNC:  # above the number of replicas Kafka accepts no record
        return int(expected) <= int(found or 0) <= replicas
    if name in AT_LEAST:
        longest = wanted.retention_ms_max if name == RETENTION else None
        if found == UNLIMITED:
            return longest is None
        return int(expected) <= int(found or 0) and (longest is None or int(found) <= longest)
    return found == expected


@asynccontextmanager
async def topic_client(kafka: KafkaConfig) -> AsyncIterator[Any]:
    """Yield an AIOKafkaClient, through which topics can be read and changed.

    Raises:
        KafkaError, OSError: Kafka is unavailable.
    """
    admin = AIOKafkaAdminClient(**kafka.client, request_timeout_ms=10_000)
    try:
        await admin.start()
        yield admin._client  # noqa: SLF001 - there is no public attribute
    finally:
        await admin.close()


async def check_topics(client: Any, wanted: Iterable[WantedTopic]) -> list[Deviation]:
    """Return how topics differ from what they must be.

    Raises:
        KafkaError: Kafka is unavailable.
    """
    topics = list(wanted)
    states = await read_topics(client, [topic.name for topic in topics])
    return [found for topic in topics for found in find_deviations(topic, states.get(topic.name))]


async def apply_configs(client: Any, wanted: Iterable[WantedTopic]) -> list[Deviation]:
    """Set the properties of Kafka's configuration that differ; return what was set.

    Raises:
        KafkaError: Kafka is unavailable or denies it.
    """
    applied = [one for one in await check_topics(client, wanted) if one.is_config]
    for one in applied:
        await alter_config(client, one.topic, {one.name: one.wanted})
    return applied
