"""Everything that `verify` reads of Postgres, at once."""

from collections.abc import Mapping
from typing import Any

from services.stats.admin.verify.settled_days import LogBegin
from services.stats.admin.verify.stored import StoredReader
from services.stats.admin.verify.values import StoredValues

BY_PARTITION = ("counts", "settled", "ledger", "referrers", "presence", "known_articles", "evidence")


async def read_all(connection: Any, begins: Mapping[int, LogBegin]) -> StoredValues:
    """Return the values of all partitions. The connection has a transaction that is `repeatable_read`."""
    reader, kept = StoredReader(connection, begins), StoredValues()
    stored = await reader.read_stored()
    async for number in reader.partitions(stored, ()):
        for name in BY_PARTITION:
            if number in getattr(stored, name):
                getattr(kept, name)[number] = getattr(stored, name)[number]
    for name in BY_PARTITION:
        setattr(stored, name, getattr(kept, name))
    stored.daily_visitors = {(site, day): ids async for site, day, ids in reader.visitor_days()}
    return stored
