"""The structure of sites in Postgres, and its messages in the outbox, in one transaction.

A version is the time of Postgres in milliseconds, or one more than the version before: it rises over every restore of
an older backup, so that the newest of several is always the last that an editor made.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import msgspec

from services.ingest.queries import SQL
from services.ingest.queries import STRUCTURE_SQL as QUERIES
from services.ingest.structure.changes import check_size
from shared.postgres import Connection
from shared.site_structure import (
    Kind,
    SiteStructure,
    StaticPage,
    StructureSection,
    page_key,
    public_structure,
    structure_key,
)
from shared.sites import Section, Site
from shared.topics import SITE_STRUCTURE
from shared.tracing import start_outbox_span

Change = Callable[[SiteStructure, int], SiteStructure]
"""Makes another structure; the version is that of the entries which it changes."""


@dataclass(frozen=True)
class StoredStructure:
    """A site's structure, and the sections of the sites' file that it began with."""

    structure: SiteStructure
    seed: Sequence[Section]


@dataclass(frozen=True)
class TermCount:
    """How many articles name a section, a tag or an author, and how many of these are public with it."""

    articles: int
    public_articles: int


async def read_structure(
    connection: "asyncpg.Pool | Connection", site: str, *, for_update: bool = False
) -> StoredStructure | None:
    """Return a site's structure, or None if it was not seeded; `for_update` locks it until the transaction ends."""
    row = await connection.fetchrow(QUERIES["structure_for_update" if for_update else "structure"], site)
    if row is None:
        return None
    seed = msgspec.json.decode(row["seed"], type=list[Section])
    return StoredStructure(msgspec.json.decode(row["content"], type=SiteStructure), seed)


async def next_version(connection: "asyncpg.Pool | Connection", before: int = 0) -> int:
    """Return the version of the next change."""
    return max(before + 1, int(await connection.fetchval(QUERIES["database_milliseconds"])))


async def seed_structure(connection: Connection, site: Site) -> bool:
    """Store the sections of the sites' file as the structure of a site that has none; return whether it had none.

    Args:
        connection: In a transaction.
        site: As its configuration has it.
    """
    version = await next_version(connection)
    structure = SiteStructure(
        site=site.slug,
        version=version,
        modified_at=_instant(version),
        sections=[
            StructureSection(slug=one.slug, name=one.name, description=one.description, version=version)
            for one in site.sections
        ],
    )
    seed = msgspec.json.encode(site.sections).decode()
    inserted = await connection.fetchval(
        QUERIES["insert_structure"], site.slug, version, _json(structure), seed, structure.modified_at
    )
    if inserted is None:
        return False
    await queue_structure(connection, structure)
    return True


async def change_structure(connection: Connection, site: Site, change: Change) -> SiteStructure:
    """Change a site's structure, which is seeded first if it has none, and return it.

    Args:
        connection: In a transaction. Changes of one site wait for each other.
        site: As its configuration has it.
        change: See `Change`. What it raises changes nothing.

    Raises:
        Problem: the structure would be too large.
    """
    stored = await read_structure(connection, site.slug, for_update=True)
    if stored is None:
        await seed_structure(connection, site)
        stored = await read_structure(connection, site.slug, for_update=True)
        assert stored is not None
    before = stored.structure
    version = await next_version(connection, before.version)
    after = change(before, version)
    if after == before:
        return before
    after = msgspec.structs.replace(after, version=version, modified_at=_instant(version))
    check_size(after)
    done = await connection.fetchval(
        QUERIES["update_structure"], site.slug, version, _json(after), after.modified_at, before.version
    )
    assert done is not None, "the row is locked"
    await queue_structure(connection, after)
    return after


async def queue_structure(connection: Connection, structure: SiteStructure) -> None:
    """Queue a site's structure for the topic."""
    await _queue(connection, structure_key(structure.site), public_structure(structure))


async def queue_page(connection: Connection, page: StaticPage) -> None:
    """Queue a static page for the topic."""
    await _queue(connection, page_key(page), page)


async def _queue(connection: Connection, key: str, message: SiteStructure | StaticPage) -> None:
    span = msgspec.json.encode(start_outbox_span(SITE_STRUCTURE.name, key)).decode()
    await connection.execute(SQL["insert_into_outbox"], SITE_STRUCTURE.name, key, msgspec.json.encode(message), span)


async def count_terms(
    connection: "asyncpg.Pool | Connection", site: str, kind: Kind, names: Iterable[str] | None = None
) -> dict[str, TermCount]:
    """Return how many articles have each name of a kind, as they spell it; `names`: only these."""
    wanted = None if names is None else list(names)
    rows = await connection.fetch(QUERIES["term_counts"], site, kind, wanted)
    return {row["name"]: TermCount(row["articles"], row["public_articles"]) for row in rows}


async def count_articles(connection: "asyncpg.Pool | Connection", site: str, kind: Kind, names: Iterable[str]) -> int:
    """Return how many articles name any of these sections, tags or authors, in any of their copies."""
    return int(await connection.fetchval(QUERIES["count_articles_of_terms"], site, kind, list(names)))


def _instant(version: int) -> datetime:
    return datetime.fromtimestamp(version / 1000, UTC)


def _json(structure: SiteStructure) -> str:
    return msgspec.json.encode(structure).decode()
