"""Kafka `articles` and `site-structure`, from their beginnings → a generation, while builders are running.

The topic is compacted: it has the newest state of each article, and for a while earlier ones. The version decides, as
for the builders.
"""

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from services.render.builder import store
from services.render.builder.projections import PROJECTION_VERSION, lists_with_other_words
from services.render.queries import GENERATIONS
from shared.articles import Article
from shared.kafka.config import READ_COMMITTED, KafkaConfig
from shared.postgres import POSTGRES_DATA_ERRORS
from shared.progress_bar import progress_bar
from shared.site_structure import SiteStructure, StaticPage, StructureIndex, StructureMessage
from shared.sites import Sites
from shared.topics import ARTICLES, SITE_STRUCTURE

BATCH_ARTICLES = 200
POLL_MS = 200


class Replay:
    """Replays the topic into a generation, and catches up with its end repeatedly.

    Attributes:
        versions: The version of each article in the topic; None after a tombstone.
        unreadable: Records that could not be stored, by "partition:offset" or article id, each with the reason.
    """

    def __init__(self, consumer: AIOKafkaConsumer, connection: asyncpg.Connection, schema: str, sites: Sites) -> None:
        self._consumer = consumer
        self._connection = connection
        self._sql = GENERATIONS[schema]
        self._sites = sites
        self.versions: dict[str, int | None] = {}
        self.unreadable: dict[str, str] = {}

    async def ends(self) -> Mapping[TopicPartition, int]:
        """Return the topic's end offsets now: every record that a builder can have read is before them."""
        return dict(await self._consumer.end_offsets(list(self._consumer.assignment())))

    async def catch_up(self, ends: Mapping[TopicPartition, int], deadline: float = float("inf")) -> bool:
        """Replay all records before `ends`; False if the deadline (time.monotonic) came first."""
        with progress_bar("records", sum(ends.values()) - await self._position(ends)) as advance:
            while any([await self._consumer.position(part) < end for part, end in ends.items()]):
                if time.monotonic() > deadline:
                    return False
                before = await self._position(ends)
                fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_ARTICLES)
                await self._replay([record for records in fetched.values() for record in records])
                advance(await self._position(ends) - before)
        return await self._refresh_words(deadline)

    async def add_structures_of(self, live: str) -> None:
        """Write what the live generation has in a newer version than the topic: ingest sends that again."""
        for row in await self._connection.fetch(GENERATIONS[live]["all_structures"]):
            await self._apply_structure(row["content"].encode(), f"structure in {live}")
        await self._refresh_words()

    async def _position(self, partitions: Iterable[TopicPartition]) -> int:
        return sum([await self._consumer.position(part) for part in partitions])

    async def _replay(self, records: Iterable[ConsumerRecord]) -> None:
        newest: dict[str, Article] = {}
        gone: set[str] = set()
        for record in records:
            if record.topic == SITE_STRUCTURE.name:
                await self._apply_structure(record.value, f"{record.topic}-{record.partition}:{record.offset}")
                continue
            one = (record.key or b"").decode("utf-8", "replace")
            try:
                article = self._read(record.value)
            except (msgspec.DecodeError, LookupError) as error:
                self.unreadable[f"{record.partition}:{record.offset}"] = str(error)[:200]
                continue
            if article is None:
                gone.add(one)
                newest.pop(one, None)
            elif article.id not in newest or newest[article.id].version <= article.version:
                newest[article.id] = article
        if newest or gone:
            await self._write(newest.values(), gone)

    async def _apply_structure(self, value: bytes | None, place: str) -> None:
        """Write a structure or a static page, unless a newer one is there, and mark articles whose words change."""
        if value is None:
            return
        try:
            message: SiteStructure | StaticPage = msgspec.json.decode(value, type=StructureMessage)
            async with self._connection.transaction():
                if isinstance(message, StaticPage):
                    await self._connection.execute(self._sql["save_static_page"], *store.page_row(message))
                    return
                before = (await store.read_structures(self._connection, self._sql, [message.site])).get(message.site)
                if await self._connection.fetchval(self._sql["save_structure"], *store.structure_row(message)) is None:
                    return
                if lists := lists_with_other_words(before, StructureIndex(message)):
                    await self._connection.execute(self._sql["mark_outdated"], message.site, lists)
        except (msgspec.DecodeError, *POSTGRES_DATA_ERRORS) as error:
            self.unreadable[place] = str(error)[:200]

    async def _refresh_words(self, deadline: float = float("inf")) -> bool:
        """Write the words of marked articles again; False if the deadline came first."""
        last = ""
        while rows := await self._connection.fetch(self._sql["outdated_rows"], PROJECTION_VERSION, last):
            if time.monotonic() > deadline:
                return False
            last = rows[-1]["id"]
            articles = [msgspec.json.decode(row["content"], type=Article) for row in rows]
            await self._write([one for one in articles if one.site in self._sites], set(), is_known=True)
        return True

    def _read(self, value: bytes | None) -> Article | None:
        if value is None:
            return None
        article = msgspec.json.decode(value, type=Article)
        if article.site not in self._sites:
            raise LookupError(f"unknown-site: {article.site}")
        return article

    async def _write(self, newest: Iterable[Article], gone: set[str], *, is_known: bool = False) -> None:
        articles = [(one, self._sites[one.site]) for one in newest]
        async with self._connection.transaction():
            if gone:
                await self._connection.execute(self._sql["delete_articles"], list(gone))
            if not await self._put(articles):
                for placed in articles:
                    if not await self._put([placed]):
                        self.unreadable[placed[0].id] = "Postgres cannot store it"
        if is_known:
            return
        self.versions |= dict.fromkeys(gone)
        for article, _ in articles:
            self.versions[article.id] = max(article.version, self.versions.get(article.id) or 0)

    async def _put(self, articles: list[store.SiteArticle]) -> bool:
        if not articles:
            return True
        try:
            async with self._connection.transaction():
                slugs = sorted({site.slug for _, site in articles})
                structures = await store.read_structures(self._connection, self._sql, slugs)
                await store.save_all(self._connection, self._sql, articles, structures)
        except POSTGRES_DATA_ERRORS:
            return False
        return True


@asynccontextmanager
async def replaying(
    kafka: KafkaConfig, connection: asyncpg.Connection, schema: str, sites: Sites
) -> AsyncIterator[Replay]:
    """Read the topic from its beginning, as the builder does: committed records only.

    Records behind a transaction that a killed relay left open come later, to the builder: Kafka aborts it after its
    timeout, or the next relay does.
    """
    consumer = AIOKafkaConsumer(
        **kafka.client, enable_auto_commit=False, isolation_level=READ_COMMITTED, fetch_max_wait_ms=100
    )
    await consumer.start()
    try:
        cluster = await consumer._client.fetch_all_metadata()  # noqa: SLF001 - there is no public API
        parts = [
            TopicPartition(name, number)
            for name in (SITE_STRUCTURE.name, ARTICLES.name)
            for number in sorted(cluster.partitions_for_topic(name) or ())
        ]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        yield Replay(consumer, connection, schema, sites)
    finally:
        await consumer.stop()
