"""A bound on the visitors that one address can make, per site, local day and address prefix.

One address with invented user agents would otherwise make a visitor with each request. Beyond the bound an event counts
without a visitor ID, and is marked. The decision is part of the event, so that a recount of the log repeats it.

Memory is fixed: a Bloom filter knows the visitor IDs, and a count-min sketch counts those that were new by prefix. An
ID that the filter confuses with another one is taken for known and admitted. Prefixes that share all their counters
with others are counted too high, which needs thousands of attacked prefixes to matter. A restart forgets both.
"""

from datetime import date

VISITORS_MAX = 2_000
"""New visitor IDs of an address on a site and local day. A school or an office of a thousand people behind one address
passes with two browsers each; the rate limit alone would admit 8.6 million."""
FILTER_BITS = 2**25
FILTER_HASHES = 4
COUNTERS = 2**19
COUNTER_ROWS = 2
DAYS_MAX = 5
"""All days that events can name: they may be 48 hours late, and the local times of sites differ by up to 26 hours. With
fewer, events of one day would make the bound of another one forgotten."""


class VisitorLimit:
    """The visitor IDs that one collector has admitted, of the last local days.

    Args:
        visitors_max: New visitor IDs per site, day and prefix.
    """

    def __init__(self, visitors_max: int = VISITORS_MAX) -> None:
        self._visitors_max = visitors_max
        self._days: dict[date, _Day] = {}

    def admits(self, site: str, day: date, prefix: str | None, visitor_id: str) -> bool:
        """Return whether a visitor ID is known, or may be made; None as prefix means no limit."""
        if prefix is None:
            return True
        seen = self._days.get(day)
        if seen is None:
            while len(self._days) >= DAYS_MAX:
                del self._days[min(self._days)]
            seen = self._days[day] = _Day()
        return seen.admit(int(visitor_id, 16), hash((site, prefix)), self._visitors_max)


class _Day:
    """The visitor IDs of a local day."""

    def __init__(self) -> None:
        self._filter = bytearray(FILTER_BITS // 8)  # pages that are not written take no memory
        self._counters = memoryview(bytearray(COUNTERS * COUNTER_ROWS * 2)).cast("H")

    def admit(self, visitor: int, prefix: int, visitors_max: int) -> bool:
        # A visitor ID is 64 random bits: two halves are enough to derive all hashes (Kirsch and Mitzenmacher).
        low, high = visitor & 0xFFFFFFFF, visitor >> 32 | 1
        bits = []
        for number in range(FILTER_HASHES):
            bit = (low + number * high) % FILTER_BITS
            if not self._filter[bit >> 3] & 1 << (bit & 7):
                bits.append(bit)
        if not bits:
            return True
        cells = [row * COUNTERS + (prefix >> 20 * row) % COUNTERS for row in range(COUNTER_ROWS)]
        if min(self._counters[cell] for cell in cells) >= visitors_max:
            return False
        for bit in bits:
            self._filter[bit >> 3] |= 1 << (bit & 7)
        for cell in cells:
            self._counters[cell] = min(self._counters[cell] + 1, 0xFFFF)
        return True
