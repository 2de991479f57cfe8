"""The identity of a topic whose offsets are stored: the ids of the Kafka cluster and of the topic.

Offsets are valid in one topic only. A topic that was deleted and created again has its old name and a new id.
aiokafka speaks an older version of Kafka's Metadata request, without topic ids; this is version 10 of it
(KIP-516, Kafka 2.8 and newer).
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple
from uuid import UUID

from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)


class TopicIdentity(NamedTuple):
    """Identifies a topic beyond its name: both ids never change."""

    cluster: str
    topic_id: str


class _Uuid(AbstractType[UUID]):  # type: ignore[misc] # aiokafka has no types
    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))

    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes


_text = CompactString("utf-8")


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(("node_id", Int32), ("host", _text), ("port", Int32), ("rack", _text), ("tags", TaggedFields)),
        ),
        ("cluster_id", _text),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _text),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", _text), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        tags: dict[int, bytes] = {}
        topics = [(UUID(int=0), topic, tags) for topic in self._topics]
        return request_struct_class(topics, False, False, False, tags)


async def read_identity(client: Any, topic: str) -> TopicIdentity:
    """Read the identity of a topic from a broker; see `read_topic`."""
    identity, _ = await read_topic(client, topic)
    return identity


async def read_topic(client: Any, topic: str) -> tuple[TopicIdentity, list[int]]:
    """Read the identity of a topic and its partitions from a broker.

    Args:
        client: The AIOKafkaClient of a consumer.
        topic: The topic's name.

    Raises:
        UnknownTopicOrPartitionError: the topic does not exist.
        KafkaError: no broker responds.
    """
    return (await read_topics(client, [topic]))[0]


async def read_topics(client: Any, topics: Sequence[str]) -> list[tuple[TopicIdentity, list[int]]]:
    """Read the identities of several topics and their partitions at once, in this order; see `read_topic`."""
    node = client.get_random_node()
    if node is None:
        raise KafkaError("no broker is known yet")
    response = await client.send(node, _MetadataRequest(topics))
    found = {}
    for error, name, topic_id, _, partitions, *_ in response.topics:
        if error == UnknownTopicOrPartitionError.errno:
            raise UnknownTopicOrPartitionError(name)
        if error:
            raise KafkaError(f"{name}: error {error}")
        numbers = sorted(partition for _, partition, *_ in partitions)
        found[name] = (TopicIdentity(response.cluster_id or "", str(topic_id)), numbers)
    if missing := set(topics) - found.keys():
        raise KafkaError(f"the broker did not answer for {', '.join(sorted(missing))}")
    return [found[topic] for topic in topics]
