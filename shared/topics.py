"""Every Kafka topic: its key, its values and how long it keeps them.

`python -m shared.topics` creates missing ones. Brokers must not create topics by themselves: the
number of partitions is part of how visitors are counted.
"""

import asyncio
import sys
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from pydantic import Field

from shared.articles import Article
from shared.events import Adjustment, PageEvent, PageLive
from shared.kafka.connection import KafkaConfig
from shared.retry import retry_until_done
from shared.settings import Settings

DAY_MS = 86_400_000
PAGE_VIEWS_PARTITION_BYTES = 3 * 1024**3
"""Bound on a partition of page-views, so that a flood cannot fill the disk. With 12 partitions it has room for a week
of 260 events of 240 bytes per second."""
CREATE_SECONDS = 30.0
"""How long `python -m shared.topics` waits for Kafka."""


@dataclass(frozen=True)
class Topic:
    """One topic: `config` holds Kafka's own property names and values."""

    name: str
    key: str
    value: type
    purpose: str
    config: dict[str, str] = field(hash=False)

    @property
    def dead_letters(self) -> str:
        """Name of the topic for records of this one that cannot be processed."""
        return f"{self.name}.dlq"


PAGE_VIEWS = Topic(
    "page-views",
    "none; the partition is HMAC(lasting secret, site, address, user agent), so that a visitor stays on one partition",
    PageEvent,
    "Page events, as the collectors accepted them.",
    # By arrival: an event that waited in a spool must not be deleted for its age.
    {
        "cleanup.policy": "delete",
        "retention.ms": str(7 * DAY_MS),
        "retention.bytes": str(PAGE_VIEWS_PARTITION_BYTES),
        "message.timestamp.type": "LogAppendTime",
    },
)
ARTICLES = Topic(
    "articles",
    "article id",
    Article,
    "The whole state of each article that is or was public, with a rising version. Withdrawal is a state, then a "
    "tombstone. Drafts never come here. A consumer that reads committed records gets each version in order; after a "
    "failure some are repeated, and the newest is always the last.",
    {"cleanup.policy": "compact"},
)
COUNTER_ADJUSTMENTS = Topic(
    "counter-adjustments",
    "adjustment id",
    Adjustment,
    "Audited changes of totals: opening balances and their reversals.",
    {"cleanup.policy": "compact"},
)
PAGES_LIVE = Topic(
    "pages-live",
    "article id",
    PageLive,
    "What the portal serves now.",
    {"cleanup.policy": "compact"},
)
TOPICS = (PAGE_VIEWS, ARTICLES, COUNTER_ADJUSTMENTS, PAGES_LIVE)
DEAD_LETTER_CONFIG = {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS)}


class TopicSettings(Settings):
    """Settings of `python -m shared.topics`."""

    partitions: int = Field(default=12, ge=1, le=1_000, description="Partitions of each topic when it is created")
    replication: int = Field(default=1, ge=1, le=7, description="Copies of each topic when it is created")


async def create_topics(kafka: KafkaConfig, partitions: int, replication: int) -> list[str]:
    """Create the topics that are missing and return their names.

    Raises:
        KafkaError: Kafka is unavailable or denies it.
    """
    admin = AIOKafkaAdminClient(**kafka.client, request_timeout_ms=10_000)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        wanted = {topic.name: topic.config for topic in TOPICS}
        wanted |= {topic.dead_letters: DEAD_LETTER_CONFIG for topic in TOPICS}
        missing = [
            NewTopic(name, partitions, replication, topic_configs=config)
            for name, config in wanted.items()
            if name not in existing
        ]
        if not missing:
            return []
        response = await admin.create_topics(missing)
        for name, code, *text in response.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise KafkaError(f"{name}: error {code} {' '.join(str(part) for part in text)}")
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def _create(settings: TopicSettings) -> None:
    error: BaseException | None = None

    async def create() -> list[str]:
        nonlocal error
        try:
            return await create_topics(settings.kafka, settings.partitions, settings.replication)
        except (KafkaError, OSError) as latest:
            error = latest
            raise

    try:
        async with asyncio.timeout(CREATE_SECONDS):
            created = await retry_until_done(create, on=(KafkaError, OSError), what="create topics")
    except TimeoutError:
        if error is None:
            raise
        raise error from None
    print(f"created {', '.join(created)}" if created else "all topics exist")


def _main() -> int:
    from shared.cli import module_main

    return module_main("topics", TopicSettings, _create, uses="Kafka")


if __name__ == "__main__":
    sys.exit(_main())
