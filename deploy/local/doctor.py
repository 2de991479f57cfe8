"""`make doctor`: look at the running copy and say in words what is wrong. It changes nothing."""

import asyncio
import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.kafka.connection import KafkaConfig
from shared.topics import PAGE_VIEWS, TOPICS

SERVICES = ("ingest", "stats", "render")
LAG_SECONDS_MAX = 60
FREE_BYTES_MIN = 1024**3
DAY_SECONDS = 86_400
OUTBOX_SECONDS = 2.0
ANSWER_SECONDS = 10.0

LEDGER = """
SELECT o.part, o.next_offset - o.unledgered AS records, coalesce(l.events, 0)::bigint AS events
FROM stats.offsets o
JOIN stats.generations n ON n.gen = o.gen AND n.state = 'current'
LEFT JOIN (SELECT gen, part, sum(events) AS events FROM stats.ledger GROUP BY gen, part) l
    ON l.gen = o.gen AND l.part = o.part
WHERE o.topic = $1
ORDER BY o.part
"""
GAPS = "SELECT coalesce(sum(next_there - first_lost), 0)::bigint FROM stats.gaps"
OUTBOX = "SELECT coalesce(min(id), 0) FROM ingest.outbox"
OVERDUE = """
SELECT coalesce(max(extract(epoch FROM now() - least(publish_due_at, unpublish_due_at))), 0)::float8
FROM ingest.articles WHERE publish_due_at <= now() OR unpublish_due_at <= now()
"""


class Installation(NamedTuple):
    """Where the running copy's parts are."""

    home: Path
    ports: dict[str, int]
    parts: dict[str, int]
    kafka: KafkaConfig
    database_url: str


class Finding(NamedTuple):
    """What one look found: fine or not, and a sentence."""

    is_fine: bool
    message: str


Check = Callable[[Installation], Coroutine[Any, Any, list[Finding]]]


async def run_checks(installation: Installation) -> list[Finding]:
    """Take all looks; one that cannot be taken is a finding too."""
    findings = []
    for name, check in CHECKS.items():
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                findings += await check(installation)
        except (OSError, TimeoutError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            reason = str(error) or type(error).__name__
            findings.append(Finding(False, f"{name} cannot be looked at: {reason}"))
    return findings


async def _processes(installation: Installation) -> list[Finding]:
    states = {name: _state(pid) for name, pid in installation.parts.items()}
    findings = [
        Finding(False, f"{name} does not run; the supervisor starts it again")
        for name, state in states.items()
        if state in ("", "Z")
    ]
    findings += [
        Finding(False, f"{name} is frozen (stopped by a signal): kill -CONT {installation.parts[name]} lets it go on")
        for name, state in states.items()
        if state == "T"
    ]
    return findings or [Finding(True, f"{len(installation.parts)} parts run: {', '.join(installation.parts)}")]


def _state(pid: int) -> str:
    """Return the kernel's letter for what a process does; "" if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]


async def _readiness(installation: Installation) -> list[Finding]:
    findings = []
    for name in SERVICES:
        try:
            answer = json.loads(await _get(f"http://127.0.0.1:{installation.ports[name]}/readyz"))
        except OSError as error:
            findings.append(Finding(False, f"{name} does not answer: {error}"))
            continue
        said = [*answer["problems"], *answer["warnings"]]
        findings += [Finding(False, f"{name}: {sentence}") for sentence in said]
        if not said:
            findings.append(Finding(True, f"{name} is ready"))
    return findings


async def _gateway(installation: Installation) -> list[Finding]:
    await _get(f"http://127.0.0.1:{installation.ports['gateway']}/t.js")
    return [Finding(True, "the gateway answers")]


async def _counting(installation: Installation) -> list[Finding]:
    stats = await _get(f"http://127.0.0.1:{installation.ports['stats']}/metrics")
    ingest = await _get(f"http://127.0.0.1:{installation.ports['ingest']}/metrics")
    lag = max(_samples(stats, "presstally_consumer_lag_seconds"), default=0.0)
    records = sum(_samples(stats, "presstally_consumer_lag_events"))
    assigned = sum(_samples(stats, "presstally_consumer_assigned_partitions"))
    partitions = max(_samples(ingest, "presstally_page_views_partitions"), default=0.0)
    spooled = sum(_samples(ingest, "presstally_spool_bytes"))
    findings = []
    if lag > LAG_SECONDS_MAX:
        findings.append(Finding(False, f"counting is {lag:.0f} s and {records:.0f} records behind"))
    if assigned < partitions:
        findings.append(Finding(False, f"only {assigned:.0f} of {partitions:.0f} partitions are counted"))
    if spooled:
        findings.append(
            Finding(False, f"{spooled:.0f} bytes of page views wait on the collector's disk: Kafka does not take them")
        )
    return findings or [Finding(True, f"counting keeps up ({lag:.0f} s behind), and the spool is empty")]


async def _ledger(installation: Installation) -> list[Finding]:
    async with _postgres(installation) as postgres:
        rows = await postgres.fetch(LEDGER, PAGE_VIEWS.name)
        lost = await postgres.fetchval(GAPS)
    findings = [Finding(False, f"Kafka deleted {lost} records before they were counted (stats.gaps)")] if lost else []
    for row in rows:
        if row["events"] != row["records"]:
            message = (
                f"partition {row['part']}: {row['records']} records were read and {row['events']} are in the ledger"
            )
            findings.append(Finding(False, f"{message}; run `python -m services.stats verify`"))
    return findings or [Finding(True, f"the ledger balances in {len(rows)} of {len(rows)} partitions")]


async def _dead_letters(installation: Installation) -> list[Finding]:
    findings = []
    partitions = await _partitions(installation, [topic.dead_letters for topic in TOPICS])
    async with _kafka(installation) as kafka:
        for topic in TOPICS:
            numbers = partitions[topic.dead_letters]
            begins, ends = await kafka.beginning_offsets(numbers), await kafka.end_offsets(numbers)
            yesterday = int((time.time() - DAY_SECONDS) * 1000)
            since = await kafka.offsets_for_times(dict.fromkeys(numbers, yesterday))
            kept = sum(ends[one] - begins[one] for one in numbers)
            fresh = sum(ends[one] - found.offset for one, found in since.items() if found is not None)
            if fresh:
                message = f"{fresh} records of {topic.name} could not be read within a day ({kept} in a month)"
                findings.append(
                    Finding(False, f"{message}; `python -m services.stats dlq list` shows those of page-views")
                )
    return findings or [Finding(True, "nothing went to the dead letters within a day")]


async def _publishing(installation: Installation) -> list[Finding]:
    async with _postgres(installation) as postgres:
        oldest = await postgres.fetchval(OUTBOX)
        overdue = await postgres.fetchval(OVERDUE)
        if oldest:  # on its way, or stuck?
            await asyncio.sleep(OUTBOX_SECONDS)
        still = await postgres.fetchval(OUTBOX)
    findings = []
    if oldest and still == oldest:
        findings.append(Finding(False, "published messages do not get to Kafka"))
    if overdue > LAG_SECONDS_MAX:
        findings.append(Finding(False, f"an article should have been published or withdrawn {overdue:.0f} s ago"))
    return findings or [Finding(True, "nothing waits to be published")]


async def _disk(installation: Installation) -> list[Finding]:
    free = shutil.disk_usage(installation.home).free
    message = f"{free / 1024**3:.1f} GB are free at {installation.home}"
    return [Finding(free >= FREE_BYTES_MIN, message)]


CHECKS: dict[str, Check] = {
    "the list of parts": _processes,
    "readiness": _readiness,
    "the gateway": _gateway,
    "counting": _counting,
    "the ledger": _ledger,
    "dead letters": _dead_letters,
    "publishing": _publishing,
    "the disk": _disk,
}


def _samples(page: str, metric: str) -> Iterator[float]:
    return (float(value) for value in re.findall(rf"^{metric}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE))


async def _get(url: str) -> str:
    def get() -> bytes:
        try:
            with urllib.request.urlopen(url, timeout=3) as response:  # noqa: S310 - loopback, our own
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            if url.endswith("/readyz"):
                return bytes(error.read())
            raise

    return (await asyncio.to_thread(get)).decode()


@asynccontextmanager
async def _postgres(installation: Installation) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    try:
        connection = await asyncpg.connect(installation.database_url, timeout=3)
    except TimeoutError:
        raise TimeoutError("Postgres does not answer within 3 s") from None
    try:
        yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def _kafka(installation: Installation) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(**installation.kafka.client, group_id=None, request_timeout_ms=3_000)
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _partitions(installation: Installation, topics: list[str]) -> dict[str, list[TopicPartition]]:
    admin = AIOKafkaAdminClient(**installation.kafka.client, request_timeout_ms=3_000)
    try:
        await admin.start()
        described = await admin.describe_topics(topics)
    finally:
        await admin.close()
    return {
        one["topic"]: [TopicPartition(one["topic"], part["partition"]) for part in one["partitions"]]
        for one in described
    }


def run(installation: Installation) -> int:
    """Print all findings and return the exit code: 1 if something is wrong."""
    findings = asyncio.run(run_checks(installation))
    for finding in findings:
        print(f"  {'ok   ' if finding.is_fine else 'WRONG'}  {finding.message}")
    wrong = sum(not finding.is_fine for finding in findings)
    print(f"presstally: {f'{wrong} thing(s) are wrong' if wrong else 'all is well'}")
    return 1 if wrong else 0
