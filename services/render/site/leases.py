"""For how long a site's version may be relied on without asking Postgres again.

A writer of a site that was quiet announces itself by a lock, and commits only after all leases have ended
(`render.end_leases`). So a lease is given by two queries: the first one finds no writer, so that any later one waits
from then on; the second one, which begins after it, reads the version. It lasts from the beginning of the first one.
While pages are served, queries are made in time for the next lease.

Leases are read by the server's thread, too: each change of one is a single step.
"""

import math
import time
from collections.abc import Mapping

from services.render.site.page_reader import SiteVersion

RENEWAL_SECONDS = 0.015
"""How long after a query another one is due: both are needed before the former lease ends."""


class Leases:
    """The leases of all sites."""

    def __init__(self) -> None:
        self._by_site: dict[str, tuple[SiteVersion, float]] = {}
        self._quiet_at: float | None = None
        """When the last query began, if it found no writer."""
        self._due_at = math.inf

    def renew(
        self, begun_at: float, versions: Mapping[str, SiteVersion], seconds: Mapping[str, float], *, are_writing: bool
    ) -> None:
        """Take over what a query has read.

        Args:
            begun_at: When it began, as `time.monotonic` says.
            versions: The sites' versions.
            seconds: For how long each may be relied on at most.
            are_writing: Whether any writer had announced itself.
        """
        self._due_at = begun_at + RENEWAL_SECONDS
        quiet_at, self._quiet_at = self._quiet_at, None if are_writing else begun_at
        if quiet_at is not None:
            self._by_site = {site: (version, quiet_at + seconds[site]) for site, version in versions.items()}

    def end(self) -> None:
        """End all leases, as Postgres may have lost the writers' locks with its connections."""
        self._by_site, self._quiet_at = {}, None

    def hold(self, site: str, version: SiteVersion) -> bool:
        """Return whether a site certainly has this version still."""
        lease = self._by_site.get(site)
        return lease is not None and lease[0] == version and time.monotonic() < lease[1]

    def are_due(self) -> bool:
        """Return whether it is time for another query: True once for each query that was made."""
        is_due = time.monotonic() > self._due_at
        if is_due:
            self._due_at = math.inf
        return is_due
