"""The outbox relay: takes what was committed to Kafka, in order, until Kafka has it.

One relay works at a time, behind a Postgres lock; other replicas stand by. A relay that dies between Kafka's
acknowledgement and the delete sends those messages again: readers know them by their version or id.
"""

import asyncio

import asyncpg

from services.ingest.metrics import OUTBOX_PENDING
from shared.kafka import Producer, Unavailable
from shared.logs import log
from shared.postgres import POSTGRES_AWAY, Connection, read_queries

SQL = read_queries(__package__)
BATCH_MESSAGES = 200
IDLE_SECONDS = 0.1
RETRY_SECONDS = 1.0


async def relay(pool: asyncpg.Pool, producer: Producer) -> None:
    """Run for ever; wait out a Postgres or Kafka that is away."""
    while True:
        try:
            async with pool.acquire() as connection:
                mine = await connection.fetchval(SQL["claim_relay"])
                while mine:
                    if not await _relay_batch(connection, producer):
                        await asyncio.sleep(IDLE_SECONDS)
        except Unavailable as error:
            log.warning("Committed articles wait for Kafka", reason=str(error))
        except POSTGRES_AWAY as error:
            log.warning("The outbox cannot be read; trying again", reason=repr(error))
        await asyncio.sleep(RETRY_SECONDS)


async def _relay_batch(connection: Connection, producer: Producer) -> int:
    rows = await connection.fetch(SQL["read_outbox"], BATCH_MESSAGES)
    OUTBOX_PENDING.set(len(rows))
    for row in rows:
        await producer.send(row["topic"], row["value"], key=row["key"].encode())
    if rows:
        await connection.execute(SQL["delete_from_outbox"], [row["id"] for row in rows])
    return len(rows)
