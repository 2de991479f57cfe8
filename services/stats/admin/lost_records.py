"""`presstally stats rebuild --lost-records`: continue after Kafka has lost records that are counted.

The counts stay as they are: they are all that is left of the lost records. Kafka has given the lost offsets to other
records, which are not counted. They arrived after all that were: `page-views` has the brokers' time of arrival. So each
partition continues at the first record that arrived after the newest one counted.
"""

from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.stats.counting.log_check import PartitionLog, compare_with_log
from services.stats.counting.store import Position, read_positions
from services.stats.queries import SQL
from shared.cli import CommandError
from shared.kafka.topic_identity import read_topic
from shared.topics import PAGE_VIEWS


async def continue_after_lost_records(pool: asyncpg.Pool, reader: AIOKafkaConsumer) -> None:
    """Move each partition whose counted records are lost to its first uncounted record.

    Args:
        pool: Postgres.
        reader: A consumer without a group.

    Raises:
        CommandError: no counted record is lost, or the topic is another one.
    """
    positions, lost = await find_mismatches(pool, reader)
    for one in lost.values():
        if one.mismatch is not None and one.mismatch.kind == "other topic":
            raise CommandError(one.mismatch.message)
    if not lost:
        raise CommandError("Kafka has all records that were counted last; omit --lost-records")
    places = [TopicPartition(PAGE_VIEWS.name, number) for number in lost]
    later = await reader.offsets_for_times({one: positions[one.partition].newest_arrived + 1 for one in places})
    async with pool.acquire() as connection, connection.transaction():
        for place in places:
            position, log = positions[place.partition], lost[place.partition]
            found = later.get(place)
            # Records that Kafka stamped with an earlier time follow the position if the log is long enough.
            next_offset = min(log.end if found is None else found.offset, position.next_offset)
            await _move_back(connection, place.partition, position, next_offset)
            print(
                f"{place.topic}-{place.partition}: counted to {position.next_offset}, and Kafka has lost "
                f"{position.next_offset - next_offset} of these records; counting continues at {next_offset}"
            )


async def refuse_lost_records(pool: asyncpg.Pool, reader: AIOKafkaConsumer) -> None:
    """Refuse a rebuild that would drop the views of records that Kafka has lost after they were counted.

    Raises:
        CommandError: there are such records.
    """
    _, found = await find_mismatches(pool, reader)
    for number, one in sorted(found.items()):
        if one.mismatch is not None and one.mismatch.kind == "lost records":
            raise CommandError(f"{PAGE_VIEWS.name}-{number}: {one.mismatch.message}")


async def find_mismatches(
    pool: asyncpg.Pool, reader: AIOKafkaConsumer
) -> tuple[dict[int, Position], dict[int, PartitionLog]]:
    """Return all positions, and the logs of those partitions that do not match them.

    Raises:
        UnknownTopicOrPartitionError: the topic does not exist.
        KafkaError, asyncpg.PostgresError, OSError: Kafka or Postgres is unavailable.
    """
    identity, numbers = await read_topic(reader._client, PAGE_VIEWS.name)  # noqa: SLF001 - there is no public attribute
    beginnings = await reader.beginning_offsets([TopicPartition(PAGE_VIEWS.name, number) for number in numbers])
    first_offsets = {one.partition: offset for one, offset in beginnings.items()}
    positions = await read_positions(pool, PAGE_VIEWS.name, first_offsets, identity)
    logs = await compare_with_log(reader, PAGE_VIEWS.name, positions)
    return positions, {number: one for number, one in logs.items() if one.mismatch is not None}


async def _move_back(connection: Any, partition: int, position: Position, next_offset: int) -> None:
    place = position.generation, PAGE_VIEWS.name, partition
    newest_arrived = await connection.fetchval(
        SQL["continue_after_lost_records"], *place, position.epoch, position.next_offset, next_offset
    )
    if newest_arrived is None:
        raise CommandError(f"a counter moved partition {partition} meanwhile; nothing has changed, run it again")
    await connection.execute(SQL["move_snapshot_back"], *place, next_offset)
    await connection.execute(SQL["move_evicted_state_back"], *place, next_offset)
    await connection.execute(SQL["move_known_articles_back"], position.generation, partition, next_offset)
    await connection.execute(SQL["record_lost_records"], *place, next_offset, newest_arrived)
