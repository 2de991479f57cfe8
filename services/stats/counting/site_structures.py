"""Kafka `site-structure` → Postgres: names of sections, and the slugs that were given up. Counts do not change."""

from functools import partial
from typing import Any

import asyncpg
import msgspec
from aiokafka.structs import ConsumerRecord
from faststream.kafka import KafkaBroker

from services.stats.queries import STATISTICS_SQL as SQL
from shared.consumer_offsets import ConsumerOffsets
from shared.kafka.database_consumer import DatabaseConsumer, Transaction
from shared.kafka.dead_letters import handle_record
from shared.kafka.producer import Producer
from shared.role import Process
from shared.site_structure import SiteStructure, StaticPage, StructureMessage, resolve_alias
from shared.topics import SITE_STRUCTURE

GROUP = "stats-site-structure"
_MESSAGE: Any = StructureMessage
"""A union, which is no class for the type checker."""


def follow_structures(
    broker: KafkaBroker, pool: asyncpg.Pool, producer: Producer, process: Process
) -> DatabaseConsumer:
    """Follow the structures of all sites."""
    offsets = ConsumerOffsets("stats", GROUP, SITE_STRUCTURE.name)
    return DatabaseConsumer(broker, pool, offsets, GROUP, partial(save_structure, producer), process=process)


async def save_structure(producer: Producer, transaction: Transaction, record: ConsumerRecord) -> None:
    """Save one record; an older version changes nothing, and static pages have no counts by section."""

    async def save(message: SiteStructure | StaticPage) -> None:
        if isinstance(message, StaticPage):
            return
        aliases = message.section_aliases
        targets = {slug: resolve_alias(aliases, slug) for slug in sorted(aliases)}
        async with transaction() as connection:
            row = (message.site, message.version, msgspec.json.encode(message).decode())
            if await connection.fetchval(SQL["save_structure"], *row) is not None:
                await connection.execute(SQL["delete_section_aliases"], message.site)
                await connection.execute(
                    SQL["save_section_aliases"], message.site, list(targets), list(targets.values())
                )

    await handle_record(producer, record, _MESSAGE, save)
