"""Which origins' events are refused, for the owner of a website whose address is not declared: a log line and a metric.

Anybody can claim any origin. So only the first ORIGINS_MAX of a process are named; all others count as "other".
"""

import re

from services.ingest.metrics import REFUSED_ORIGINS
from shared.logs import log

ORIGINS_MAX = 20
OTHER = "other"
_ORIGIN = re.compile(r"https?://[a-z0-9.\-:\[\]]{1,200}")


class RefusedOrigins:
    """The refused origins of one collector. Each is logged once, and counted."""

    def __init__(self) -> None:
        self._named: set[str] = set()
        REFUSED_ORIGINS.labels(OTHER)

    def add(self, origin: str, site: str) -> None:
        """Count a refused request.

        Args:
            origin: As the browser sent it, or as its referrer shows it.
            site: The site that the page named.
        """
        label = origin.lower()
        if not _ORIGIN.fullmatch(label):
            label = OTHER
        elif label not in self._named:
            if len(self._named) < ORIGINS_MAX:
                self._named.add(label)
                log.warning("views refused: the site does not declare this origin", origin=label, site=site)
            else:
                label = OTHER
        REFUSED_ORIGINS.labels(label).inc()
