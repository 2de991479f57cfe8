"""Every Kafka topic: its key, its values and how long it keeps them.

`presstally topics` creates missing ones, and reports others that are not as they must be; `check` only reports,
with an exit code, and `apply` sets their configuration. Brokers must not create topics by themselves: the number of
partitions is part of how visitors are counted.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from pydantic import Field

from shared.articles import Article
from shared.events import Adjustment, PageEvent, PageLive, RefusedOrigin
from shared.kafka.config import KafkaConfig
from shared.retry import retry_until_done
from shared.settings import Settings
from shared.site_structure import SiteStructure, StaticPage
from shared.topic_check import (
    MIN_IN_SYNC,
    Deviation,
    WantedTopic,
    apply_configs,
    check_topics,
    topic_client,
)

DAY_MS = 86_400_000
PAGE_VIEWS_PARTITION_BYTES = 3 * 1024**3
"""Bound on a partition of page-views, so that a flood cannot fill the disk. With 12 partitions it has room for a week
of 260 events of 240 bytes per second. Kafka deletes whole segments, and only what is beyond the bound: a partition
keeps at least so much."""
PAGE_VIEWS_DAYS_MAX = 9
"""Longer than that, the log could have events of days whose visitor IDs are no longer kept."""
MESSAGE_BYTES_MAX = 1_048_588
"""Kafka's default: a record batch of 1 MiB with its header. An article may be nearly as large."""
IN_SYNC_REPLICAS_MIN = 2
"""With three copies or more: an acknowledged record survives the loss of one broker."""
USABLE_SECONDS = 20.0
COMMAND_SECONDS = 30.0
"""How long `presstally topics` waits for Kafka."""
SHOWN_SECONDS = 10.0
"""Until brokers show a changed configuration."""
RETENTION = "retention.ms"
TIMESTAMPS = "message.timestamp.type"
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Topic:
    """One topic: `config` holds Kafka's own property names and values."""

    name: str
    key: str
    value: type
    """Type of the values; of the first kind, if there are `others`."""
    purpose: str
    config: dict[str, str] = field(hash=False)
    consequences: dict[str, str] = field(hash=False)
    """What follows from a property of `config` that the topic does not have."""
    partitions: int | None = None
    """Of the topic and of its dead letters, if they need no more; None is the setting."""
    others: tuple[type, ...] = ()
    """Further types of values: the field `type` says which one a value has."""

    @property
    def values(self) -> tuple[type, ...]:
        """The types of its values."""
        return self.value, *self.others

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
        TIMESTAMPS: "LogAppendTime",
        "max.message.bytes": str(MESSAGE_BYTES_MAX),
    },
    {
        "cleanup.policy": "Kafka refuses page views, because they have no key",
        RETENTION: (
            "if shorter, views that are not counted in that time are lost, and `verify`, `rebuild` and a restored "
            "database lack them; if longer, a rebuild may count visitors twice"
        ),
        "retention.bytes": "with much traffic, Kafka deletes views before their time",
        TIMESTAMPS: "events would be counted at the times that their senders state, not when they arrived",
    },
)
COMPACTED = {"cleanup.policy": "compact", "max.message.bytes": str(MESSAGE_BYTES_MAX)}
COMPACTED_CONSEQUENCES = {
    "cleanup.policy": "Kafka deletes what has not changed for a while, and no rebuild or restored database has it again"
}
ARTICLES = Topic(
    "articles",
    "article id",
    Article,
    "The whole state of each article that is or was public, with a rising version. Withdrawal is a state, then a "
    "tombstone. Drafts never come here. A consumer that reads committed records gets each version in order; after a "
    "failure some are repeated, and the newest is always the last.",
    COMPACTED,
    COMPACTED_CONSEQUENCES,
)
COUNTER_ADJUSTMENTS = Topic(
    "counter-adjustments",
    "adjustment id",
    Adjustment,
    "Audited changes of totals: opening balances and their reversals.",
    COMPACTED,
    COMPACTED_CONSEQUENCES,
)
PAGES_LIVE = Topic(
    "pages-live",
    "article id",
    PageLive,
    "What the portal serves now.",
    COMPACTED,
    COMPACTED_CONSEQUENCES,
)
REFUSED_ORIGINS = Topic(
    "refused-origins",
    "site",
    RefusedOrigin,
    "Views that collectors refused, by site and origin, for the owners of websites. Some records a minute at most.",
    {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS), "max.message.bytes": str(MESSAGE_BYTES_MAX)},
    {
        "cleanup.policy": "Kafka keeps the newest report of each site only",
        RETENTION: "if shorter, the statistics may lack origins that were refused while stats was stopped",
    },
    partitions=1,
)
SITE_STRUCTURE = Topic(
    "site-structure",
    "site; of a static page SITE/page/ID",
    SiteStructure,
    "Sections, tags, authors and menus of each site as its newsroom edits them, with the slugs that they gave up, and "
    "static pages. Each value is the whole state, with a rising version. One partition, so that the order of changes "
    "is that of the newsroom.",
    COMPACTED,
    COMPACTED_CONSEQUENCES,
    partitions=1,
    others=(StaticPage,),
)
TOPICS = (PAGE_VIEWS, ARTICLES, COUNTER_ADJUSTMENTS, PAGES_LIVE, REFUSED_ORIGINS, SITE_STRUCTURE)
FEW_PARTITIONS = {name: one.partitions for one in TOPICS if one.partitions for name in (one.name, one.dead_letters)}
DEAD_LETTER_CONFIG = {
    "cleanup.policy": "delete",
    RETENTION: str(30 * DAY_MS),
    "max.message.bytes": str(MESSAGE_BYTES_MAX),
}
DEAD_LETTER_CONSEQUENCES = {
    "cleanup.policy": "Kafka refuses dead letters without a key, or keeps one of each key",
    RETENTION: "unreadable records are deleted before somebody can inspect and replay them",
}


class TopicSettings(Settings):
    """Settings of `presstally topics`."""

    partitions: int = Field(default=12, ge=1, le=1_000, description="Partitions of each topic when it is created")


def wanted_topics(
    replication: int, topics: Iterable[Topic] = TOPICS, *, dead_letters: bool = True, partitions: int | None = None
) -> list[WantedTopic]:
    """Return what topics must be.

    Args:
        replication: Copies of each.
        topics: Some of TOPICS.
        dead_letters: Also those with their dead letters.
        partitions: At least so many of page-views. The number of others does not matter once they exist: it decides
            where a key's records are, so it must stay.
    """
    in_sync = {MIN_IN_SYNC: str(IN_SYNC_REPLICAS_MIN if replication > IN_SYNC_REPLICAS_MIN else 1)}
    wanted = []
    for topic in topics:
        is_views = topic.name == PAGE_VIEWS.name
        wanted.append(
            WantedTopic(
                topic.name,
                topic.config | in_sync,
                replication,
                partitions if is_views else None,
                PAGE_VIEWS_DAYS_MAX * DAY_MS if is_views else None,
                topic.consequences,
            )
        )
        if dead_letters:
            config = DEAD_LETTER_CONFIG | in_sync
            wanted.append(WantedTopic(topic.dead_letters, config, replication, consequences=DEAD_LETTER_CONSEQUENCES))
    return wanted


async def create_topics(kafka: KafkaConfig, partitions: int, replication: int) -> list[str]:
    """Create the topics that are missing and return their names.

    Raises:
        KafkaError: Kafka is unavailable or denies it.
    """
    admin = AIOKafkaAdminClient(**kafka.client, request_timeout_ms=10_000)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [
            NewTopic(
                topic.name, FEW_PARTITIONS.get(topic.name, partitions), replication, topic_configs=dict(topic.config)
            )
            for topic in wanted_topics(replication)
            if topic.name not in existing
        ]
        if not missing:
            return []
        response = await admin.create_topics(missing)
        for name, code, *text in response.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise KafkaError(f"{name}: error {code} {' '.join(str(part) for part in text)}")
        names = [topic.name for topic in missing]
        await _wait_until_usable(admin, names)
        return names
    finally:
        await admin.close()


async def _wait_until_usable(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Wait until brokers know new topics and their leaders: for a moment they answer that there is no such topic.

    Raises:
        KafkaError: they do not within USABLE_SECONDS.
    """
    try:
        async with asyncio.timeout(USABLE_SECONDS):
            while not all(  # noqa: ASYNC110 - Kafka has no event for it
                topic["error_code"] == 0 and all(one["leader"] >= 0 for one in topic["partitions"])
                for topic in await admin.describe_topics(list(names))
            ):
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise KafkaError(f"new topics cannot be used after {USABLE_SECONDS:g} s: {', '.join(names)}") from error


async def _with_retries(kafka_work: Callable[[], Awaitable[_Result]]) -> _Result:
    """Do some work once Kafka is available, within COMMAND_SECONDS.

    Raises:
        KafkaError, OSError: it is not; the last error.
    """
    error: BaseException | None = None

    async def attempt() -> _Result:
        nonlocal error
        try:
            return await kafka_work()
        except (KafkaError, OSError) as latest:
            error = latest
            raise

    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            return await retry_until_done(attempt, on=(KafkaError, OSError), what="read the topics")
    except TimeoutError:
        if error is None:
            raise
        raise error from None


async def _create(settings: TopicSettings) -> int:
    """Create missing topics. Others that are not as they must be are reported, and no reason not to start."""
    created = await _with_retries(lambda: create_topics(settings.kafka, settings.partitions, settings.replication))
    print(f"created {', '.join(created)}" if created else "all topics exist")
    _print(await _check(settings))
    return 0


async def _check_and_report(settings: TopicSettings) -> int:
    found = await _check(settings)
    _print(found)
    if not found:
        print("all topics are as they must be")
    return 1 if found else 0


async def _apply(settings: TopicSettings) -> int:
    wanted = wanted_topics(settings.replication, partitions=settings.partitions)
    async with topic_client(settings.kafka) as client:
        for one in await apply_configs(client, wanted):
            print(f"{one.topic}: {one.name} was {one.found} and is {one.wanted}")
        deadline = time.monotonic() + SHOWN_SECONDS
        left = await check_topics(client, wanted)
        # The controller has the new values at once, and each broker shows them a moment later.
        while any(one.is_config for one in left) and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            left = await check_topics(client, wanted)
    _print(left)
    return 1 if left else 0


async def _check(settings: TopicSettings) -> list[Deviation]:
    async def check() -> list[Deviation]:
        async with topic_client(settings.kafka) as client:
            return await check_topics(client, wanted_topics(settings.replication, partitions=settings.partitions))

    return await _with_retries(check)


def _print(deviations: Iterable[Deviation]) -> None:
    for one in deviations:
        print(one)


COMMANDS = {"create": _create, "check": _check_and_report, "apply": _apply}


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command and return its exit code.

    Args:
        arguments: The words after the program.
        program: How the operator called it, for the help.
    """
    from shared.cli import module_main

    parser = argparse.ArgumentParser(
        prog=program, description="Create missing topics, and report others that are not as they must be."
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=COMMANDS,
        default="create",
        help="create (default): missing topics; check: change nothing, exit with 1 if a topic is not as it must be; "
        "apply: set the configuration of topics that is not as it must be",
    )
    return module_main("topics", TopicSettings, COMMANDS[parser.parse_args(list(arguments)).command], uses="Kafka")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], "python -m shared.topics"))
