"""Adjustments after a loss of Kafka: Postgres has them, and the topic gets them again, once."""

from services.stats.admin.lost_adjustments import send_lost_adjustments
from services.stats.admin.verify.adjustments import verify_adjustments
from shared.kafka.config import KafkaConfig
from shared.kafka.log_reader import log_reader
from shared.postgres import open_pool
from tests.restore.test_consumers_follow_their_database import (
    becomes,
    consumers,
    expected,
    lose_topics,
    publish,
    topics,
)

__all__ = ["topics"]


async def test_lost_adjustments_are_sent_again_once(topics: str, database: str) -> None:
    """After a loss they are sent once more: then the topic and Postgres agree, and no total has changed."""
    await publish(topics, amount=500_000)
    await publish(topics, amount=7)
    async with consumers(database, topics):
        await becomes(database, expected({}, 500_007))
        await lose_topics(topics)
        pool = await open_pool(database, role="presstally_stats", size=2)
        async with pool.acquire() as connection:
            assert await send_lost_adjustments(connection, KafkaConfig(topics)) == 2
            assert await send_lost_adjustments(connection, KafkaConfig(topics)) == 0
        async with log_reader(KafkaConfig(topics)) as reader:
            assert (await verify_adjustments(reader, pool)).drifts == []
        pool.terminate()
        await becomes(database, expected({}, 500_007))
