"""The identity of a topic, read with a newer Metadata request than aiokafka's."""

from io import BytesIO
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from aiokafka.errors import KafkaError

from shared.kafka.topic_identity import _MetadataRequest, _Uuid, read_identity, read_topic, read_topics

TOPIC_ID = UUID("0191f0de-aaaa-7000-8000-000000000001")


class Client:
    """An AIOKafkaClient with one broker, or none."""

    def __init__(self, *topic: Any, node: int | None = 1) -> None:
        self.topics, self.node, self.sent = [topic], node, []

    def get_random_node(self) -> int | None:
        return self.node

    async def send(self, node: int, request: Any) -> Any:
        self.sent.append((node, request))
        return SimpleNamespace(topics=self.topics, cluster_id="a-cluster")


def described(error: int = 0, name: str = "page-views") -> Client:
    partitions = [(0, number, 1, 0, [1], [1], [], {}) for number in (2, 0, 1)]
    return Client(error, name, TOPIC_ID, False, partitions, 0, {})


async def test_read_topic_returns_identity_and_sorted_partitions() -> None:
    """Cluster id, topic id and the partitions in order come from the response of one broker."""
    client = described()
    identity, partitions = await read_topic(client, "page-views")
    assert identity == ("a-cluster", str(TOPIC_ID))
    assert partitions == [0, 1, 2]
    assert await read_identity(client, "page-views") == identity
    assert isinstance(client.sent[0][1], _MetadataRequest)


async def test_several_topics_are_read_by_one_request_in_the_order_of_their_names() -> None:
    """A broker may answer in any order; a topic that it leaves out is a KafkaError."""
    client = described()
    other = UUID(int=7)
    client.topics.insert(0, (0, "articles", other, False, [(0, 0, 1, 0, [1], [1], [], {})], 0, {}))
    (views, of_views), (articles, of_articles) = await read_topics(client, ["page-views", "articles"])
    assert (views.topic_id, of_views) == (str(TOPIC_ID), [0, 1, 2])
    assert (articles.topic_id, of_articles) == (str(other), [0])
    assert len(client.sent) == 1
    with pytest.raises(KafkaError):
        await read_topics(client, ["page-views", "articles", "site-structure"])


@pytest.mark.parametrize("client", [described(error=3), described(name="articles"), Client(node=None)])
async def test_read_topic_without_the_topic_or_a_broker_raises(client: Client) -> None:
    """An error code, another topic's response and a client without brokers are KafkaErrors."""
    with pytest.raises(KafkaError):
        await read_topic(client, "page-views")


def test_uuid_is_encoded_as_16_bytes() -> None:
    """A topic id has 16 bytes on the wire."""
    assert _Uuid.decode(BytesIO(_Uuid.encode(TOPIC_ID))) == TOPIC_ID
    assert len(_Uuid.encode(TOPIC_ID)) == 16
