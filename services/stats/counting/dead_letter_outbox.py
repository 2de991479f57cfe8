"""Dead letters: committed with the batch that met them, then taken to `page-views.dlq`.

A delivery that dies between Kafka's acknowledgement and the delete is repeated; the key (topic, partition,
offset) tells that it is the same letter.
"""

import asyncpg

from services.stats.queries import SQL
from shared.kafka.dead_letters import dead_letter_headers
from shared.kafka.producer import KafkaUnavailable, Producer
from shared.metrics import DEAD_LETTERS
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import run_periodically
from shared.topics import PAGE_VIEWS

BATCH_LETTERS = 200
IDLE_SECONDS = 1.0


async def deliver(pool: asyncpg.Pool, producer: Producer) -> None:
    """Deliver until the task is cancelled; an unavailable Postgres or Kafka is waited for."""
    DEAD_LETTERS.labels(PAGE_VIEWS.name)  # at 0 from the start: an alert sees no rise of what was not there before

    async def deliver_all() -> None:
        while await _deliver_batch(pool, producer):
            pass

    unavailable = (KafkaUnavailable, *POSTGRES_UNAVAILABLE)
    await run_periodically(deliver_all, every_seconds=IDLE_SECONDS, on=unavailable, what="deliver dead letters")


async def _deliver_batch(pool: asyncpg.Pool, producer: Producer) -> int:
    letters = await pool.fetch(SQL["read_dead_letters"], BATCH_LETTERS)
    for letter in letters:
        place = (letter["topic"], letter["partition"], letter["offset"])
        await producer.send(
            f"{letter['topic']}.dlq",
            letter["value"],
            key="-".join(map(str, place)).encode(),
            headers=dead_letter_headers(letter["reason"], *place, letter["created_at"].timestamp()),
        )
        await pool.execute(SQL["delete_dead_letter"], *place)
        DEAD_LETTERS.labels(letter["topic"]).inc()
    return len(letters)
