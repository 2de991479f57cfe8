"""Postgres → the four values of a counter, in one query; the same ones for all widgets."""

import hashlib
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec

from services.stats.counting.rules import ONLINE_MS, WHOLE_SITE
from services.stats.counting.state import PRESENCE_BUCKET_MS
from services.stats.local_calendar import bucket_5m_start, day_start, hour_start, week_start
from services.stats.queries import SQL
from services.stats.shared_reads import Snapshot, shared_read
from shared.events import Measure
from shared.sites import Site

Window = Literal["calendar", "rolling"]
DAY_MS = 86_400_000
SITE_VALID_SECONDS = 0.1
"""A live stream shows a change after so long at most, besides its own interval."""
ARTICLE_VALID_SECONDS = 1.0


class CounterValues(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The access counter of a site, or of one of its articles."""

    site: str
    article: str | None = None
    online: int
    today: int
    week: int
    total: int
    measure: Measure
    window: Window
    timezone: str
    as_of: str
    """When Postgres was read: RFC 3339, in the site's zone."""
    stale: bool = False
    """Postgres is unavailable and these are the last good values. Left out when false."""


async def read_shared_counter(
    pool: asyncpg.Pool, site: Site, article: str | None, measure: Measure, window: Window
) -> tuple[CounterValues, float]:
    """Return the values of a counter that all widgets return now, and until when (time.monotonic) they do.

    A counter of zeros expires at once: nothing is stored for the ids of articles that do not exist, and a visitor who
    asks later gets what is read later.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    key = ["counter", FORMAT, site.slug, article, measure, window, site.timezone, site.first_weekday]
    zeros: list[CounterValues] = []

    async def load(snapshot: Snapshot) -> bytes | None:
        values = await read_counter(snapshot, site, article, measure, window)
        if article is not None and not (values.online or values.week or values.total):
            zeros.append(values)
            return None
        return msgspec.json.encode(values)

    valid_seconds = SITE_VALID_SECONDS if article is None else ARTICLE_VALID_SECONDS
    found = await shared_read(pool, msgspec.json.encode(key).decode(), valid_seconds, load)
    if found is None:
        return zeros[-1], float("-inf")
    return msgspec.json.decode(found.value, type=CounterValues), found.fresh_until


async def read_counter(
    snapshot: Snapshot, site: Site, article: str | None, measure: Measure, window: Window
) -> CounterValues:
    """Read the values of a counter.

    Args:
        snapshot: Of Postgres; its time determines today, the week and who is online.
        site: Its zone and first weekday determine the start of today and of the week.
        article: An article's id, or None for the whole site. An unknown one has zeros.
        measure: An article's visits and visitors are those that began on it.
        window: calendar: local day and week; rolling: last 24 hours (5-minute steps) and 7 days (hours).

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    now = snapshot.at_ms
    first_online_bucket = (now - ONLINE_MS) // PRESENCE_BUCKET_MS + 1
    if window == "calendar":
        spans = (
            "day",
            "day",
            day_start(now, site.zone),
            week_start(now, site.zone, site.first_weekday_number),
        )
    else:
        spans = ("5m", "hour", bucket_5m_start(now - DAY_MS), hour_start(now - 7 * DAY_MS, site.zone))
    row = await snapshot.connection.fetchrow(
        SQL["read_counter"], site.slug, article or WHOLE_SITE, first_online_bucket, *spans, measure
    )
    assert row is not None, "sums always give a row"
    return CounterValues(
        site=site.slug,
        article=article,
        online=row["online"],
        today=row["today"],
        week=row["week"],
        total=row["total"],
        measure=measure,
        window=window,
        timezone=site.timezone,
        as_of=datetime.fromtimestamp(now // 1000, site.zone).isoformat(),
    )


FORMAT = hashlib.sha256(msgspec.json.encode(msgspec.json.schema(CounterValues))).hexdigest()[:8]
"""Widgets of two versions share what they read if they write it the same way."""
