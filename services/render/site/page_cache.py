"""Pages in memory, each served only while Postgres says that nothing has changed, or while Postgres is away."""

import time
from collections import OrderedDict
from dataclasses import dataclass

from services.render.metrics import CACHE_BYTES
from services.render.site.page_reader import Look
from services.render.site.responses import Forms, Headers
from shared.role import CachedResponse

ENTRY_BYTES = 1_500
"""What an entry takes beside its forms."""


Place = tuple[str, str, int]
"""What an entry is of: site, path, and page of a list."""


@dataclass(slots=True)
class Entry:
    """A page, and what it was made of. `look`: when that was last found to be so."""

    forms: Forms
    key: bytes
    """Checksum of what it was made of."""
    look: Look
    until: float
    """When it must not be served any more, whatever else, in seconds since 1970."""
    shows: tuple[str, ...]
    """Ids of the articles that are seen on it, as `reading.Reader` notes them."""
    counted_bytes: int = 0

    def is_over(self) -> bool:
        """Tell whether its time is up."""
        return time.time() >= self.until


class Shelf:
    """Entries by place; those not asked for longest go first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._entries: OrderedDict[Place, Entry] = OrderedDict()

    def get(self, place: Place) -> Entry | None:
        """Return an entry, if it is there."""
        entry = self._entries.get(place)
        if entry is not None:
            self._entries.move_to_end(place)
        return entry

    def put(self, place: Place, entry: Entry) -> None:
        """Keep an entry."""
        self.drop(place)
        self._entries[place] = entry

    def answer(self, place: Place, entry: Entry, headers: Headers) -> CachedResponse:
        """Return an entry's answer; what was made for it takes memory from now on."""
        answer = entry.forms.answer(headers)
        if entry.counted_bytes != entry.forms.bytes_size and self._entries.get(place) is entry:
            self._count(entry)
        return answer

    def _count(self, entry: Entry) -> None:
        self._bytes += entry.forms.bytes_size - entry.counted_bytes + (0 if entry.counted_bytes else ENTRY_BYTES)
        entry.counted_bytes = entry.forms.bytes_size
        while self._bytes > self._bytes_max:
            self.drop(next(iter(self._entries)))
        CACHE_BYTES.set(self._bytes)

    def drop(self, place: Place | None) -> None:
        """Forget an entry, if there is one."""
        entry = self._entries.pop(place, None) if place else None
        if entry is not None and entry.counted_bytes:
            self._bytes -= entry.counted_bytes + ENTRY_BYTES
            entry.counted_bytes = 0

    def shown(self) -> set[str]:
        """Return the ids of all articles that are seen on entries."""
        return {one for entry in self._entries.values() for one in entry.shows}

    def drop_showing(self, articles: set[str]) -> int:
        """Forget the entries on which any of these is seen, and return how many there were."""
        places = [place for place, entry in self._entries.items() if not articles.isdisjoint(entry.shows)]
        for place in places:
            self.drop(place)
        return len(places)
