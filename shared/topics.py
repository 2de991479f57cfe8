"""The wires: every Kafka topic, its key, its values and how long it keeps them.

`python -m shared.topics` creates those that are missing. Brokers must not create topics by themselves: the
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
from shared.settings import Settings, SettingsError

DAY_MILLISECONDS = 86_400_000
CREATE_ATTEMPTS = 60


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
        """Name of the topic that takes what could not be read from this one."""
        return f"{self.name}.dlq"


PAGE_VIEWS = Topic(
    "page-views",
    "none; the partition is HMAC(lasting secret, site, address, user agent), so that one reader stays in one place",
    PageEvent,
    "Signs of readers, as the collectors accepted them.",
    # By arrival: an event that waited in a spool must not be deleted for its age.
    {
        "cleanup.policy": "delete",
        "retention.ms": str(7 * DAY_MILLISECONDS),
        "message.timestamp.type": "LogAppendTime",
    },
)
ARTICLES = Topic(
    "articles",
    "article id",
    Article,
    "The whole state of each article that is or was public, with a rising version. Withdrawal is a state, then a "
    "tombstone. Drafts never come here. A reader that asks for committed records gets each version in order; after a "
    "fault some come again, and the newest is always the last.",
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
DEAD_LETTER_CONFIG = {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MILLISECONDS)}


class TopicSettings(Settings):
    """What creating topics needs on top."""

    partitions: int = Field(default=12, ge=1, le=1_000, description="Partitions of each topic when it is created")
    replication: int = Field(default=1, ge=1, le=7, description="Copies of each topic when it is created")


async def create_topics(kafka: KafkaConfig, partitions: int, replication: int) -> list[str]:
    """Create the topics that are missing and return their names.

    Raises:
        KafkaError: Kafka cannot be reached or refuses.
    """
    admin = AIOKafkaAdminClient(**kafka.client, request_timeout_ms=10_000)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        wanted = {topic.name: topic.config for topic in TOPICS}
        wanted |= {topic.dead_letters: DEAD_LETTER_CONFIG for topic in TOPICS}
        missing = [
            NewTopic(name, partitions, replication, topic_configs=config)
            for name, config in wanted.items()
            if name not in there
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


async def _main() -> int:
    try:
        settings = TopicSettings.load()
    except SettingsError as error:
        print(f"topics: {error}", file=sys.stderr)
        return 1
    for attempt in range(1, CREATE_ATTEMPTS + 1):
        try:
            created = await create_topics(settings.kafka, settings.partitions, settings.replication)
        except (KafkaError, OSError) as error:
            if attempt == CREATE_ATTEMPTS:
                print(f"topics: {await settings.kafka.describe_error(error)}", file=sys.stderr)
                return 1
            await asyncio.sleep(0.5)
        else:
            print(f"created {', '.join(created)}" if created else "all topics are there")
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
