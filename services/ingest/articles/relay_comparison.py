"""The relay's comparisons: before it sends, and while it runs; and the witness that it keeps in Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.ingest.articles.topic_recovery import ARTICLE_OFFSETS, TopicRecovery
from services.ingest.articles.witness import Witness, commit_witness, read_last_given, read_witness
from shared.kafka.adjusted_fetches import poll_seldom
from shared.kafka.config import KafkaConfig
from shared.kafka.log_reader import log_reader
from shared.logs import log
from shared.postgres import Connection

COMPARE_SECONDS = 5.0
"""From one comparison to the next: a topic that has lost records gets them again."""
WITNESS_SECONDS = 1.0
WITNESS_REPEAT_SECONDS = 3_600.0
"""Kafka drops the offsets of a group without members after a week."""
COMMIT_SECONDS = 8.0


class RelayComparison:
    """Compares the database with the topics for the one relay that is active.

    Args:
        connection: The relay's session, which has its lock.
        kafka: How to connect.
        reader: A consumer without a group.
    """

    def __init__(self, connection: Connection, kafka: KafkaConfig, reader: AIOKafkaConsumer) -> None:
        self._connection = connection
        self._kafka = kafka
        self._recovery = TopicRecovery(connection, reader)
        self._compared_at = self._read_at = self._committed_at = 0.0
        self._witness: Witness | None = None

    async def begin(self) -> None:
        """Compare before anything is sent. All former relays must be fenced."""
        await self._compare(await read_witness(self._kafka))

    async def step(self, producer: AIOKafkaProducer) -> None:
        """Compare again, and commit the witness, if it is time."""
        now = time.monotonic()
        if now - self._compared_at >= COMPARE_SECONDS:
            await self._compare(None)
        if now - self._read_at >= WITNESS_SECONDS:
            await self._keep_witness(producer, now)

    async def _compare(self, witness: Witness | None) -> None:
        report = await self._recovery.compare(witness)
        self._compared_at = time.monotonic()
        if not report.is_known_log:  # the witness was lost, too
            self._witness, self._read_at = None, 0.0
        differences = {
            "taken_over": report.taken_over,
            "sent_again": report.sent_again,
            "balances_taken_over": report.balances_taken_over,
            "balances_sent_again": report.balances_sent_again,
            "structures_taken_over": report.structures_taken_over,
            "structures_sent_again": report.structures_sent_again,
        }
        if any(differences.values()):
            log.warning("Postgres and the topics differed", **differences)

    async def _keep_witness(self, producer: AIOKafkaProducer, now: float) -> None:
        witness = await read_last_given(self._connection)
        self._read_at = now
        if witness == self._witness and now - self._committed_at < WITNESS_REPEAT_SECONDS:
            return
        stored = await ARTICLE_OFFSETS.read(self._connection)
        async with asyncio.timeout(COMMIT_SECONDS), producer.transaction():
            await commit_witness(producer, witness, stored[0].next_offset)
        self._witness, self._committed_at = witness, now


@asynccontextmanager
async def open_comparison(connection: Connection, kafka: KafkaConfig) -> AsyncIterator[RelayComparison]:
    """Yield the comparisons of a relay's session.

    Raises:
        KafkaError: Kafka cannot be reached.
    """
    async with log_reader(kafka) as reader:
        poll_seldom(reader)  # it is open for as long as the relay runs
        yield RelayComparison(connection, kafka, reader)
