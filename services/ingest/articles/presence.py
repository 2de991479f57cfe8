"""Who has an article or a static page open: rows that each tab renews every few seconds, else they expire."""

from collections.abc import Iterable
from datetime import datetime

import asyncpg
import msgspec

from services.ingest.auth.callers import Caller
from services.ingest.queries import EDITING
from shared.postgres import Connection

EXPIRES_SECONDS = 10.0
TABS_MAX = 20
"""Of one person at an article or a page: beyond that the oldest are forgotten."""


class PresentPerson(msgspec.Struct):
    """Somebody who has the article or the page open."""

    who: str
    since: datetime
    is_writing: bool
    """Whether that page may have unsaved changes."""
    is_you: bool
    """It is the caller, in another tab or on another device."""


async def enter(
    connection: Connection, caller: Caller, article: str, tab: str, *, is_writing: bool
) -> list[PresentPerson]:
    """Note that a tab has an article or a static page open, and return who else has, those who came first first."""
    row = (article, caller.id, tab, caller.person, caller.name, is_writing, EXPIRES_SECONDS)
    await connection.execute(EDITING["enter_article"], *row)
    rows = await connection.fetch(EDITING["present_people"], article, EXPIRES_SECONDS)
    if sum(one["owner"] == caller.id for one in rows) > TABS_MAX:
        await connection.execute(EDITING["limit_presence"], article, caller.id, TABS_MAX)
    return others(rows, caller.id, tab)


def others(rows: Iterable[asyncpg.Record], owner: str, tab: str) -> list[PresentPerson]:
    """Return one entry for each person of the rows, without the tab itself."""
    found: dict[str, PresentPerson] = {}
    for row in rows:
        if (row["owner"], row["tab"]) == (owner, tab):
            continue
        seen = found.setdefault(row["owner"], PresentPerson(row["who"], row["since"], False, row["owner"] == owner))
        seen.is_writing |= row["is_writing"]
        seen.since = min(seen.since, row["since"])
    return list(found.values())


async def leave(connection: Connection, caller: Caller, article: str, tab: str | None) -> None:
    """Forget a tab of the caller, or all of them."""
    await connection.execute(EDITING["leave_article"], article, caller.id, tab)
