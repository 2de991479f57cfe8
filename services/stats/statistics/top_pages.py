"""Postgres → most read pages: those of views that name no article.

Anybody can send a view of any path. So these lists are for those who have the site's token, and in no public page.
"""

from urllib.parse import quote

import msgspec

from services.stats.counting.pages import CUT, PRIVATE
from services.stats.counting.rules import ONLINE_MS
from services.stats.counting.state import PRESENCE_BUCKET_MS
from services.stats.queries import STATISTICS_SQL as SQL
from services.stats.shared_reads import Snapshot
from services.stats.statistics.time_series import Counts
from services.stats.statistics.top_articles import LIMIT_MAX, DayRange, read_spans
from shared.events import Measure
from shared.sites import Site


class TopPage(msgspec.Struct, frozen=True):
    """A page and its counts."""

    page: str
    """Its path, decoded; see `counting.pages`."""
    counts: Counts = Counts()
    online: int = 0

    @property
    def path(self) -> str | None:
        """Path of a link to it; None if the page stands for several or was cut."""
        if self.page.endswith(CUT) or PRIVATE in self.page.split("/"):
            return None
        return quote(self.page, safe="/:;,=@!$&'()*+~")


async def read_top_pages(snapshot: Snapshot, site: Site, span: DayRange, measure: Measure) -> list[TopPage]:
    """Return the 100 top pages. Only rows of the range's days are read, or sums of them.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    spans = await read_spans(snapshot, span)
    rows = await snapshot.connection.fetch(SQL["top_pages"], site.slug, *spans, measure, LIMIT_MAX)
    return [TopPage(page, Counts(*numbers)) for page, *numbers in map(tuple, rows)]


async def read_pages_online_now(snapshot: Snapshot, site: Site) -> list[TopPage]:
    """Return the 100 pages with the most active visitors."""
    first_bucket = (snapshot.at_ms - ONLINE_MS) // PRESENCE_BUCKET_MS + 1
    rows = await snapshot.connection.fetch(SQL["pages_online_now"], site.slug, first_bucket, LIMIT_MAX)
    return [TopPage(page, online=online) for page, online in map(tuple, rows)]
