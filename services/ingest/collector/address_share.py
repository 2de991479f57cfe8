"""The share of recent views that came from one address, in memory only: whether a proxy hides the visitors.

Addresses are not stored: a sample has a hash of the address under a key of this process.
"""

import secrets
from collections import deque

VIEWS_MAX = 1_000
VIEWS_MIN = 100
"""Fewer views say nothing: on a quiet site, or in a test, one visitor may have made all of them."""


class AddressShare:
    """The addresses of the last VIEWS_MAX views of one collector."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._recent: deque[int] = deque()
        self._counts: dict[int, int] = {}

    def add(self, address: str) -> None:
        """Add a view."""
        digest = hash((self._key, address))
        self._recent.append(digest)
        self._counts[digest] = self._counts.get(digest, 0) + 1
        if len(self._recent) > VIEWS_MAX:
            oldest = self._recent.popleft()
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]

    def largest_share(self) -> float:
        """Return the share of the most frequent address, from 0 to 1; 0 with fewer than VIEWS_MIN views."""
        if len(self._recent) < VIEWS_MIN:
            return 0.0
        return max(self._counts.values()) / len(self._recent)
