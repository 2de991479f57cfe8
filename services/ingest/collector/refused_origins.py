"""Which origins' events are refused, for the owner of a website whose address is not declared.

A log line, a metric, and reports on the topic `refused-origins`, of which stats makes the notes of the statistics page.
Anybody can claim any origin. So the metric and the log name the first ORIGINS_MAX of a process, and the reports the
first ORIGINS_MAX of each site and day; all others count as "other". Reports are repeated until Kafka has them; one that
was lost in a crash, or that came twice, changes a note and no count.
"""

import re
import time
from collections import Counter, defaultdict

import msgspec

from services.ingest.metrics import REFUSED_ORIGINS
from shared.events import RefusedOrigin
from shared.kafka.producer import KafkaUnavailable, Producer
from shared.logs import log
from shared.retry import run_periodically
from shared.topics import REFUSED_ORIGINS as TOPIC

ORIGINS_MAX = 20
OTHER = "other"
REPORT_SECONDS = 15.0
DAY_SECONDS = 86_400
_ORIGIN = re.compile(r"https?://[a-z0-9.\-:\[\]]{1,200}")


class RefusedOrigins:
    """The refused origins of one collector. Each is logged once, counted and reported."""

    def __init__(self) -> None:
        self._named: set[str] = set()
        self._unreported: Counter[tuple[str, str | None]] = Counter()
        self._named_on_day: defaultdict[str, set[str]] = defaultdict(set)
        """Site → origins that were reported on this day."""
        self._day = -1
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
            self._unreported[site, None] += 1
        else:
            self._unreported[site, self._reported_name(label, site)] += 1
            if label not in self._named:
                if len(self._named) < ORIGINS_MAX:
                    self._named.add(label)
                    log.warning("views refused: the site does not declare this origin", origin=label, site=site)
                else:
                    label = OTHER
        REFUSED_ORIGINS.labels(label).inc()

    def _reported_name(self, origin: str, site: str) -> str | None:
        today = int(time.time()) // DAY_SECONDS
        if today != self._day:
            self._day = today
            self._named_on_day.clear()
        named = self._named_on_day[site]
        if origin in named or len(named) < ORIGINS_MAX:
            named.add(origin)
            return origin
        return None

    def take_reports(self) -> list[RefusedOrigin]:
        """Return what was refused since the last call."""
        counted, self._unreported = self._unreported, Counter()
        now = time.time_ns() // 1_000_000
        return [RefusedOrigin(site=site, origin=origin, views=n, at=now) for (site, origin), n in counted.items()]

    def put_back(self, report: RefusedOrigin) -> None:
        """Keep a report that could not be sent for the next one."""
        self._unreported[report.site, report.origin] += report.views


async def run_reports(origins: RefusedOrigins, producer: Producer) -> None:
    """Report what was refused, from time to time. The producer connects with the first report: most sites have none."""
    is_started = False

    async def report() -> None:
        nonlocal is_started
        reports = origins.take_reports()
        if reports and not is_started:
            producer.start()
            is_started = True
        for number, one in enumerate(reports):
            try:
                await producer.send(TOPIC.name, msgspec.json.encode(one), key=one.site.encode())
            except BaseException:
                for unsent in reports[number:]:
                    origins.put_back(unsent)
                raise

    await run_periodically(report, every_seconds=REPORT_SECONDS, on=KafkaUnavailable, what="report refused origins")
