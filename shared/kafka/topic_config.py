"""Reads the state of topics from a broker, and changes single properties of one.

aiokafka's own request for a change (AlterConfigs) replaces a topic's whole configuration; this is version 0 of
IncrementalAlterConfigs (KIP-339, Kafka 2.3 and newer), which leaves other properties as they are.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka.errors import (
    KafkaError,
    NoError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

TOPIC_RESOURCE = 2
SET = 0


class TopicState(NamedTuple):
    """A topic as the brokers have it."""

    partitions: int
    replicas: int
    """Of the partition that has the fewest."""
    config: Mapping[str, str] | None
    """All properties, also those with the brokers' default; None if this client may not read them."""


class _AlterResponse(Response):  # type: ignore[misc] # aiokafka has no types
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _AlterRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _AlterResponse
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(("name", String("utf-8")), ("config_operation", Int8), ("value", String("utf-8"))),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _AlterRequest(Request[_AlterRequestStruct]):  # type: ignore[misc]
    API_KEY = 44

    def __init__(self, topic: str, properties: Mapping[str, str]) -> None:
        self._topic = topic
        self._properties = properties

    def build(self, request_struct_class: type[_AlterRequestStruct]) -> _AlterRequestStruct:
        changes = [(name, SET, value) for name, value in self._properties.items()]
        return request_struct_class([(TOPIC_RESOURCE, self._topic, changes)], False)


async def read_config(client: Any, topic: str) -> Mapping[str, str] | None:
    """Return the properties of a topic; None if this client may not read them, or there is no such topic.

    Args:
        client: The AIOKafkaClient of a consumer or an admin client.
        topic: The topic's name.

    Raises:
        KafkaError: no broker responds.
    """
    return (await _read_configs(client, [topic]))[topic]


async def read_topics(client: Any, names: Iterable[str]) -> dict[str, TopicState]:
    """Return the state of each topic that exists.

    Raises:
        KafkaError: no broker responds.
    """
    response = (await client.send(_node(client), MetadataRequest(list(names)))).to_object()
    found = {one["topic"]: one for one in response["topics"] if one["error_code"] == NoError.errno}
    configs = await _read_configs(client, list(found)) if found else {}
    return {
        name: TopicState(
            len(one["partitions"]), min(len(part["replicas"]) for part in one["partitions"]), configs.get(name)
        )
        for name, one in found.items()
    }


async def _read_configs(client: Any, names: list[str]) -> dict[str, Mapping[str, str] | None]:
    response = await client.send(
        _node(client), DescribeConfigsRequest([(TOPIC_RESOURCE, name, None) for name in names])
    )
    found: dict[str, Mapping[str, str] | None] = {}
    for code, text, _, name, entries in response.resources:
        if code in (TopicAuthorizationFailedError.errno, UnknownTopicOrPartitionError.errno):
            found[name] = None
        elif code:
            raise for_code(code)(f"{name}: {text}")
        else:
            found[name] = {entry[0]: entry[1] or "" for entry in entries}
    return found


async def alter_config(client: Any, topic: str, properties: Mapping[str, str]) -> None:
    """Set properties of a topic; others stay as they are.

    Raises:
        KafkaError: Kafka is unavailable or denies it.
    """
    response = await client.send(_node(client), _AlterRequest(topic, properties))
    for code, text, *_ in response.responses:
        if code:
            raise for_code(code)(f"{topic}: {text}")


def _node(client: Any) -> Any:
    node = client.get_random_node()
    if node is None:
        raise KafkaError("no broker is known yet")
    return node
