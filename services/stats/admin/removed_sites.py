"""Records of sites that are no longer declared: they were counted, and a rebuild keeps the counts of such sites.

A record of a site that was never declared is a dead letter in the ledger. One of a removed site is in the ledger of
that site, which is kept, and must not be there a second time. On each partition the first records of a removed site
are the counted ones: as many as its ledger has. What arrived after the removal is a dead letter.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Self

import asyncpg
import msgspec

from services.stats.counting.decoding import UNKNOWN_SITE_REASON, EventBatch, RawBatch, Rejection, decode
from services.stats.counting.rules import UNKNOWN_SITE
from services.stats.queries import SQL
from shared.sites import Sites


class _Named(msgspec.Struct):
    site: str


_SITE = msgspec.json.Decoder(_Named)


class RemovedSites:
    """How many records of removed sites are still to come, by (partition, slug).

    Args:
        counted: Those that the ledgers of these sites have.
        sites: Those that are declared.
    """

    def __init__(self, counted: Mapping[tuple[int, str], int], sites: Sites) -> None:
        self._left = dict(counted)
        self._sites = sites

    @classmethod
    async def read(cls, pool: asyncpg.Pool, generation: int, sites: Sites) -> Self:
        """Return the removed sites that a generation has in its ledger.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
        """
        rows = await pool.fetch(SQL["events_of_other_sites"], generation, [UNKNOWN_SITE, *sites])
        return cls({(row["partition"], row["site"]): row["events"] for row in rows}, sites)

    def decode(self, partition: int, records: RawBatch) -> EventBatch:
        """Decode a partition's next records, without those of removed sites that are counted."""
        batch = decode(records, self._sites)
        if not self._left or not batch.rejections:
            return batch
        return replace(batch, rejections=[one for one in batch.rejections if not self._is_counted(partition, one)])

    def _is_counted(self, partition: int, rejection: Rejection) -> bool:
        letter = rejection.dead_letter
        if letter.reason != UNKNOWN_SITE_REASON or letter.value is None:
            return False
        place = partition, _SITE.decode(letter.value).site
        left = self._left.get(place, 0)
        if left:
            self._left[place] = left - 1
        return left > 0
