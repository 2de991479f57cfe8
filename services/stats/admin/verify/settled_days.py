"""Days of articles that the log says nothing about any more: `verify` reads their sums instead of their rows.

They grow with every day and article, so that one day a machine could not hold them all. Nothing else about them can be
known than that they add up: to the totals, and for each day to no more than the site has. Of an article that has such
days only, and totals that are their sums, nothing is read.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from asyncpg.pool import PoolConnectionProxy

from services.stats.admin.reference_events import WHOLE_SITE, Bucket
from services.stats.admin.reference_values import Totals
from services.stats.admin.verify.values import SettledDays, StoredValues
from shared.kafka.topic_identity import read_topic
from shared.topics import PAGE_VIEWS

SETTLED_MS = 97 * 3_600_000
"""An event is at most 48 hours old when it arrives, a day has at most 25, and 24 are for clocks that are set back."""
NOTHING = -(2**53)
"""Before all days."""
READ_ARTICLES = """
WITH recent AS MATERIALIZED (
    SELECT DISTINCT site, article FROM stats.counts
    WHERE generation = $1 AND article <> '' AND grain = 'day' AND bucket_start >= $2
), sums AS (
    SELECT partition, site, article, sum(views) AS views, sum(visits) AS visits, sum(visitors) AS visitors
    FROM stats.counts
    WHERE generation = $1 AND article <> '' AND grain = 'day' AND bucket_start < $2
    GROUP BY partition, site, article
), totals AS (
    SELECT partition, site, article, views, visits, visitors FROM stats.counts
    WHERE generation = $1 AND article <> '' AND grain = 'total'
), known AS (
    SELECT partition, site, article, true AS is_known FROM stats.known_articles WHERE generation = $1
)
SELECT site, article FROM recent
UNION
SELECT site, article
FROM totals FULL JOIN sums USING (partition, site, article) FULL JOIN known USING (partition, site, article)
    LEFT JOIN recent USING (site, article)
WHERE recent.site IS NULL AND (
    is_known IS NULL OR totals.views IS NULL
    OR (totals.views, totals.visits, totals.visitors) IS DISTINCT FROM (sums.views, sums.visits, sums.visitors)
)
"""
"""Articles that the log may say something about, and those that do not add up."""
READ_SUMS_OF_ARTICLES = """
SELECT partition, site, article, sum(views)::bigint, sum(visits)::bigint, sum(visitors)::bigint
FROM stats.counts JOIN unnest($3::text[], $4::text[]) AS read (site, article) USING (site, article)
WHERE generation = $1 AND grain = 'day' AND bucket_start < $2
GROUP BY partition, site, article
ORDER BY partition
"""
READ_SUMS_OF_DAYS = """
SELECT partition, site, bucket_start, sum(views)::bigint, sum(visits)::bigint, sum(visitors)::bigint
FROM stats.counts
WHERE generation = $1 AND article <> '' AND grain = 'day' AND bucket_start < $2
GROUP BY partition, site, bucket_start
"""
READ_NEGATIVE = """
SELECT partition, site, article, grain, bucket_start, views, visits, visitors
FROM stats.counts
WHERE generation = $1 AND article <> '' AND grain = 'day' AND bucket_start < $2 AND least(views, visits, visitors) < 0
"""


class LogBegin(NamedTuple):
    """Where a partition of the log begins."""

    offset: int
    first_arrived: int | None
    """Of its first record, in milliseconds; None if it has none."""


async def read_log_begins(reader: AIOKafkaConsumer) -> dict[int, LogBegin]:
    """Return where each partition of the log begins.

    Raises:
        KafkaError: Kafka is unavailable.
    """
    _, numbers = await read_topic(reader._client, PAGE_VIEWS.name)  # noqa: SLF001 - there is no public attribute
    partitions = [TopicPartition(PAGE_VIEWS.name, number) for number in numbers]
    begins = await reader.beginning_offsets(partitions)
    first = await reader.offsets_for_times(dict.fromkeys(partitions, 0))
    return {
        one.partition: LogBegin(begins[one], None if (found := first.get(one)) is None else found.timestamp)
        for one in partitions
    }


def settled_before(stored: StoredValues, begins: Mapping[int, LogBegin]) -> int:
    """Return the start before which no record in the log says anything about a day (seconds); NOTHING if it may.

    Args:
        stored: Its partitions and gaps.
        begins: Where the log begins; Kafka may delete more of it meanwhile.
    """
    with_gaps = {gap.partition for gap in stored.gaps}
    arrivals = []
    for number, progress in stored.partitions.items():
        begin = begins.get(number, LogBegin(0, None))
        has_counts = progress.next_offset > progress.offsets_without_record
        if has_counts and begin.offset == 0 and number not in with_gaps:
            return NOTHING  # the log has all that was counted
        if begin.first_arrived is not None:
            arrivals.append(begin.first_arrived)
    return (min(arrivals) - SETTLED_MS) // 1000 if arrivals else NOTHING


async def read_articles(connection: PoolConnectionProxy, generation: int, before: int) -> tuple[list[str], list[str]]:
    """Return the sites and ids of the articles and pages that are read and compared.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    rows = await connection.fetch(READ_ARTICLES, generation, before)
    return [row["site"] for row in rows], [row["article"] for row in rows]


async def read_settled_days(
    connection: PoolConnectionProxy, generation: int, before: int
) -> defaultdict[int, SettledDays]:
    """Read the sums of days before an instant, by partition. The connection has a transaction.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    found: defaultdict[int, SettledDays] = defaultdict(SettledDays)
    if before == NOTHING:
        return found
    async for number, site, day, *sums in connection.cursor(READ_SUMS_OF_DAYS, generation, before):
        found[number].days[Bucket(site, WHOLE_SITE, "day", day)] = Totals(*sums)
    async for number, *row in connection.cursor(READ_NEGATIVE, generation, before):
        found[number].negative[Bucket(*row[:4])] = Totals(*row[4:])
    return found
