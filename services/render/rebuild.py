"""`python -m services.render rebuild`: read the topic `articles` from its beginning and make every row anew.

It runs beside builders and sites: each article changes in a transaction of its own, and versions keep an older one from
replacing a newer one. The topic is compacted, so it holds the newest state of each article.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from services.render import store
from services.render.settings import RenderSettings
from services.render.store import SQL
from shared.articles import Article
from shared.kafka import KAFKA_ERRORS
from shared.kafka_access import KafkaAccess
from shared.postgres import POSTGRES_AWAY, open_pool
from shared.sites import Sites, read_sites
from shared.topics import ARTICLES

POLL_MS = 500
SHOWN_MAX = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--prune", action="store_true", help="also remove articles that the topic does not hold")


def run(arguments: argparse.Namespace, settings: RenderSettings) -> int:
    """Rebuild, say what was done, and return the exit code."""
    try:
        return asyncio.run(_rebuild(settings, prune=arguments.prune))
    except KafkaError as error:
        print(f"rebuild: {asyncio.run(settings.kafka.explain(error))}", file=sys.stderr)
    except (*POSTGRES_AWAY, *KAFKA_ERRORS) as error:
        print(f"rebuild: Kafka or Postgres: {error!r}", file=sys.stderr)
    return 1


async def _rebuild(settings: RenderSettings, *, prune: bool) -> int:
    sites = read_sites(settings.sites)
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_render", size=2)
    try:
        before = {row["id"] for row in await pool.fetch(SQL["all_ids"])}
        newest, unreadable = await _newest(settings.kafka, sites)
        orphans = sorted(before - newest.keys())
        await pool.execute(SQL["forget_rules"])
        for article in newest.values():
            if article is not None:
                await store.save(pool, article, sites[article.site])
        removed = [one for one, article in newest.items() if article is None and one in before]
        removed += orphans if prune else []
        for article_id in removed:
            await store.forget(pool, article_id)
        return _tell(newest, unreadable, removed, [] if prune else orphans)
    finally:
        pool.terminate()


def _tell(newest: dict[str, Article | None], unreadable: int, removed: list[str], orphans: list[str]) -> int:
    made = sum(article is not None for article in newest.values())
    print(f"made {made} articles anew, removed {len(removed)}, {unreadable} records could not be read")
    if orphans:
        shown = ", ".join(orphans[:SHOWN_MAX]) + (", …" if len(orphans) > SHOWN_MAX else "")
        print(f"{len(orphans)} articles are not in the topic and were left ({shown}); --prune removes them")
    return 0


async def _newest(kafka: KafkaAccess, sites: Sites) -> tuple[dict[str, Article | None], int]:
    """Return each article's newest state, None where a tombstone stands, and how many records were unreadable."""
    newest: dict[str, Article | None] = {}
    unreadable = 0
    async for record in _records(kafka):
        if record.value is None:
            newest[(record.key or b"").decode("utf-8", "replace")] = None
            continue
        try:
            article = msgspec.json.decode(record.value, type=Article)
        except msgspec.DecodeError:
            unreadable += 1
            continue
        known = newest.get(article.id)
        if article.site in sites and (known is None or known.version <= article.version):
            newest[article.id] = article
    return newest, unreadable


async def _records(kafka: KafkaAccess) -> AsyncIterator[ConsumerRecord]:
    """Read the topic from its beginning to where it ends now, as the builder does.

    Uncommitted records too: a transaction that a killed relay left open would hide all that came after it, and it
    would be taken for lost. What is aborted was sent again, in the same versions.
    """
    consumer = AIOKafkaConsumer(**kafka.client, enable_auto_commit=False)
    await consumer.start()
    try:
        cluster = await consumer._client.fetch_all_metadata()  # noqa: SLF001 - it has no other door
        parts = [TopicPartition(ARTICLES.name, number) for number in cluster.partitions_for_topic(ARTICLES.name) or ()]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        ends = await consumer.end_offsets(parts)
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    yield record
    finally:
        await consumer.stop()
