"""Compares the topic `site-structure` with Postgres: the newer version of each structure and static page wins."""

from collections.abc import Mapping, Sequence

import msgspec
from aiokafka.structs import ConsumerRecord

from services.ingest.articles.library_recovery import recover_library
from services.ingest.queries import STRUCTURE_SQL as QUERIES
from services.ingest.structure.store import queue_page, queue_structure, read_structure
from shared.logs import log
from shared.postgres import Connection
from shared.site_structure import (
    SiteStructure,
    StaticPage,
    StructureMessage,
    page_key,
    structure_key,
)

RECOVERED_BY = "recovery"


async def take_over_structures(
    connection: Connection, records: Sequence[ConsumerRecord], versions: dict[str, int]
) -> int:
    """Take over what is newer in the topic, and return how much it was.

    Args:
        connection: Outside of transactions.
        records: Of the topic.
        versions: The newest version of each key that was read so far; updated.
    """
    newest: dict[str, SiteStructure | StaticPage] = {}
    for record in records:
        if record.value is None:
            continue
        try:
            message: SiteStructure | StaticPage = msgspec.json.decode(record.value, type=StructureMessage)
        except (msgspec.DecodeError, UnicodeError) as error:
            place = f"{record.topic}-{record.partition}@{record.offset}"
            log.warning("unreadable record is not compared", record=place, reason=str(error))
            continue
        key = structure_key(message.site) if isinstance(message, SiteStructure) else page_key(message)
        if message.version >= versions.get(key, 0):
            versions[key] = message.version
            newest[key] = message
    count = 0
    for key, message in newest.items():
        async with connection.transaction():
            is_newer = await (
                _take_over_structure(connection, message)
                if isinstance(message, SiteStructure)
                else _take_over_page(connection, message)
            )
            if is_newer:
                await recover_library(connection, message)
        if is_newer:
            log.warning("structure taken over from the topic", key=key, version=message.version)
            count += 1
    return count


async def _take_over_structure(connection: Connection, structure: SiteStructure) -> bool:
    stored = await read_structure(connection, structure.site, for_update=True)
    if stored is not None:
        if stored.structure.version >= structure.version:
            return False
        structure = _with_private_emails(structure, stored.structure)
    row = (structure.site, structure.version, msgspec.json.encode(structure).decode(), structure.modified_at)
    return await connection.fetchval(QUERIES["take_over_structure"], *row) is not None


def _with_private_emails(structure: SiteStructure, stored: SiteStructure) -> SiteStructure:
    """Keep the addresses that are in no message."""
    known = {one.slug: one.email for one in stored.authors if one.email}
    authors = [
        msgspec.structs.replace(one, email=known.get(one.slug, "")) if not one.email_is_public else one
        for one in structure.authors
    ]
    return msgspec.structs.replace(structure, authors=authors)


async def _take_over_page(connection: Connection, page: StaticPage) -> bool:
    content = msgspec.json.encode(page).decode()
    row = (page.id, page.site, page.version, page.slug, content, page.modified_at, RECOVERED_BY)
    return await connection.fetchval(QUERIES["take_over_static_page"], *row) is not None


async def queue_missing_structures(connection: Connection, versions: Mapping[str, int]) -> int:
    """Queue what Postgres has in a newer version than the topic, and return how much it was."""
    count = 0
    async with connection.transaction():
        for row in await connection.fetch(QUERIES["structure_contents"]):
            structure = msgspec.json.decode(row["content"], type=SiteStructure)
            if versions.get(structure_key(structure.site), 0) < structure.version:
                await queue_structure(connection, structure)
                count += 1
        for row in await connection.fetch(QUERIES["live_static_pages"]):
            page = msgspec.json.decode(row["live"], type=StaticPage)
            if versions.get(page_key(page), 0) < page.version:
                await queue_page(connection, page)
                count += 1
    return count
