"""The outbox of dead letters: committed with their batch, then delivered to `page-views.dlq`.

A delivery that is interrupted between Kafka's acknowledgement and the delete is repeated; the key (topic, partition,
offset) identifies the duplicate.
"""

import asyncpg

from services.stats.queries import SQL
from shared.kafka.dead_letters import dead_letter_headers
from shared.kafka.producer import KafkaUnavailable, Producer
from shared.metrics import DEAD_LETTERS
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import run_periodically
from shared.topics import PAGE_VIEWS

BATCH_RECORDS = 200
IDLE_SECONDS = 1.0


async def run_dead_letter_delivery(pool: asyncpg.Pool, producer: Producer) -> None:
    """Deliver until the task is cancelled; an unavailable Postgres or Kafka is waited for."""
    DEAD_LETTERS.labels(PAGE_VIEWS.name)  # at 0 from the start: an alert sees no increase of a new series

    async def deliver_all() -> None:
        while await _deliver_batch(pool, producer):
            pass

    unavailable = (KafkaUnavailable, *POSTGRES_UNAVAILABLE)
    await run_periodically(deliver_all, every_seconds=IDLE_SECONDS, on=unavailable, what="deliver dead letters")


async def _deliver_batch(pool: asyncpg.Pool, producer: Producer) -> int:
    dead_letters = await pool.fetch(SQL["read_dead_letters"], BATCH_RECORDS)
    for dead_letter in dead_letters:
        position = (dead_letter["topic"], dead_letter["partition"], dead_letter["offset"])
        await producer.send(
            f"{dead_letter['topic']}.dlq",
            dead_letter["value"],
            key="-".join(map(str, position)).encode(),
            headers=dead_letter_headers(dead_letter["reason"], *position, dead_letter["created_at"].timestamp()),
        )
        await pool.execute(SQL["delete_dead_letter"], *position)
        DEAD_LETTERS.labels(dead_letter["topic"]).inc()
    return len(dead_letters)
