"""A copy in Kafka of how far revisions and article numbers were given: a database that is behind it was restored.

Drafts never leave Postgres, so the topics cannot show that a restored database lacks some. The relay therefore commits
the last revision and number with its group's offset, as metadata: within a second of a change, and after the change is
committed, so that no other database is behind.
"""

import asyncio
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)
from aiokafka.structs import OffsetAndMetadata

from services.ingest.queries import SQL
from shared.kafka.config import KafkaConfig
from shared.postgres import Connection
from shared.retry import retry_until_done
from shared.topics import ARTICLES

GROUP = "ingest-relay"
COORDINATOR_SECONDS = 15.0
"""A new Kafka has no coordinator until it has created its topic of offsets."""
_NO_COORDINATOR = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)
_PLACE = TopicPartition(ARTICLES.name, 0)


class Witness(NamedTuple):
    """The last revision and the last article number that were given, and the versions that were skipped."""

    revision: int
    number: int
    versions_skipped: int
    """After all restores that were noticed."""


async def read_last_given(connection: Connection) -> Witness:
    """Return what this database has given last. Postgres never gives it again, unless it is restored."""
    row = await connection.fetchrow(SQL["last_given"])
    assert row is not None
    return Witness(row["revision"], row["number"], row["versions_skipped"])


async def read_witness(kafka: KafkaConfig) -> Witness | None:
    """Return what was committed last; None before the first time, and after Kafka was lost.

    Raises:
        KafkaError: Kafka is unavailable or denies it.
    """
    admin = AIOKafkaAdminClient(**kafka.client, request_timeout_ms=10_000)
    await admin.start()
    try:
        async with asyncio.timeout(COORDINATOR_SECONDS):
            found = await retry_until_done(
                lambda: admin.list_consumer_group_offsets(GROUP, partitions=[_PLACE]),
                on=_NO_COORDINATOR,
                what=f"find the coordinator of {GROUP}",
            )
    except TimeoutError as error:
        raise KafkaError(f"no coordinator of {GROUP} after {COORDINATOR_SECONDS:g} s") from error
    finally:
        await admin.close()
    metadata = found[_PLACE].metadata if _PLACE in found else ""
    return msgspec.json.decode(metadata, type=Witness) if metadata else None


async def commit_witness(producer: AIOKafkaProducer, witness: Witness, offset: int) -> None:
    """Commit a witness in the open transaction of the relay.

    Args:
        producer: In a transaction.
        witness: What was read from the database before.
        offset: Up to which the relay has compared the first partition.
    """
    committed = OffsetAndMetadata(offset, msgspec.json.encode(witness).decode())
    await producer.send_offsets_to_transaction({_PLACE: committed}, GROUP)
