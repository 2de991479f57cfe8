"""`make doctor`: check the local installation and report what is wrong. It changes nothing."""

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
from aiokafka.errors import KafkaError

from deploy.local.check_failures import NoAnswerError, PostgresUnavailableError, describe_failure, log_of, no_answer
from deploy.local.kafka_lookups import describe_numbers, open_consumer, read_partitions, unread_partitions
from shared.kafka.config import KafkaConfig
from shared.sites import SitesError
from shared.sites_file import check_theme_folders, read_sites
from shared.topic_check import check_topics, topic_client
from shared.topics import PAGE_VIEWS, TOPICS, wanted_topics

SERVICES = ("ingest", "articles", "stats", "render")
LAG_SECONDS_MAX = 60
ADDRESS_SHARE_MAX = 0.9
CLOCK_SECONDS_MAX = 30.0
FREE_BYTES_MIN = 1024**3
DAY_SECONDS = 86_400
OUTBOX_SECONDS = 2.0
ANSWER_SECONDS = 10.0

LEDGER = """
SELECT o.partition, o.next_offset - o.offsets_without_record AS records, coalesce(l.events, 0)::bigint AS events
FROM stats.offsets o
JOIN stats.generations n ON n.generation = o.generation AND n.state = 'current'
LEFT JOIN (SELECT generation, partition, sum(events) AS events FROM stats.ledger GROUP BY generation, partition) l
    ON l.generation = o.generation AND l.partition = o.partition
WHERE o.topic = $1
ORDER BY o.partition
"""
GAPS = "SELECT coalesce(sum(next_available - first_lost), 0)::bigint FROM stats.gaps"
OUTBOX = "SELECT coalesce(min(id), 0) FROM ingest.outbox"
OVERDUE = """
SELECT coalesce(max(extract(epoch FROM now() - least(scheduled_for, publish_due_at, unpublish_due_at))), 0)::float8
FROM ingest.articles WHERE scheduled_for <= now() OR publish_due_at <= now() OR unpublish_due_at <= now()
"""


class Installation(NamedTuple):
    """A running local installation: its processes' ports and IDs (`parts`), and its stores."""

    home: Path
    ports: dict[str, int]
    parts: dict[str, int]
    kafka: KafkaConfig
    database_url: str
    sites: Path = Path("sites.toml")
    """Where its sites are declared."""
    replication: int = 1
    """Copies of each topic that were asked for."""


class Finding(NamedTuple):
    """The result of a check, with a message for the operator."""

    is_fine: bool
    message: str


Check = Callable[[Installation], Coroutine[Any, Any, list[Finding]]]


async def run_checks(installation: Installation) -> list[Finding]:
    """Run all checks. What keeps some from being completed is one failed finding."""
    findings: list[Finding] = []
    incomplete: dict[str, list[str]] = {}
    """Reason → checks."""
    for name, check in CHECKS.items():
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                findings += await check(installation)
        except (OSError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            reason = await describe_failure(error, installation.kafka, installation.ports, installation.parts)
            incomplete.setdefault(reason, []).append(name)
    return [finding for finding in findings if finding.message not in incomplete] + [
        Finding(False, f"{reason}; not checked: {', '.join(names)}") for reason, names in incomplete.items()
    ]


async def _processes(installation: Installation) -> list[Finding]:
    states = {name: _state(pid) for name, pid in installation.parts.items()}
    findings = [
        Finding(False, f"{name} is not running; the supervisor restarts it, and {log_of(name)} why it ended")
        for name, state in states.items()
        if state in ("", "Z")
    ]
    findings += [
        Finding(
            False, f"{name} is frozen (stopped by a signal); continue it with: kill -CONT {installation.parts[name]}"
        )
        for name, state in states.items()
        if state == "T"
    ]
    return findings or [Finding(True, f"{len(installation.parts)} processes running: {', '.join(installation.parts)}")]


def _state(pid: int) -> str:
    """Return the process state letter of proc(5), or "" if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]


async def _readiness(installation: Installation) -> list[Finding]:
    findings = []
    by_sentence: dict[str, list[str]] = {}
    """Sentence → processes and roles that report it: something that they share is one finding."""
    for name in SERVICES:
        try:
            answer = json.loads(await _get(f"http://127.0.0.1:{installation.ports[name]}/readyz"))
        except NoAnswerError as error:
            findings.append(Finding(False, no_answer(name, error)))
            continue
        messages = [*answer["problems"], *answer["warnings"]]
        for message in messages:
            role, _, sentence = message.partition(": ")
            is_of_role = bool(sentence) and " " not in role  # that of the sites is of the whole process
            by_sentence.setdefault(sentence if is_of_role else message, []).append(
                f"{name}: {role}" if is_of_role else name
            )
        if not messages:
            findings.append(Finding(True, f"{name} is ready"))
    return [*findings, *(Finding(False, f"{', '.join(who)}: {what}") for what, who in by_sentence.items())]


async def _gateway(installation: Installation) -> list[Finding]:
    await _get(f"http://127.0.0.1:{installation.ports['gateway']}/t.js")
    return [Finding(True, "gateway: ok")]


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
        findings.append(
            Finding(False, f"consumer lag: {lag:.0f} s, {records:.0f} records; {log_of('stats')} why, if it grows")
        )
    if assigned < partitions:
        message = f"only {assigned:.0f} of {partitions:.0f} partitions are assigned to counters"
        findings.append(Finding(False, f"{message}; {log_of('stats')} why, if no line above does"))
    if spooled:
        message = f"spool: {spooled:.0f} bytes of page views are waiting for Kafka, which get there by themselves"
        findings.append(Finding(False, f"{message}; {log_of('ingest')} what they wait for"))
    return findings or [Finding(True, f"consumer lag: {lag:.1f} s, spool empty")]


async def _visitors(installation: Installation) -> list[Finding]:
    page = await _get(f"http://127.0.0.1:{installation.ports['ingest']}/metrics")
    share = max(_samples(page, "presstally_collect_address_share_ratio"), default=0.0)
    if share < ADDRESS_SHARE_MAX:
        return [Finding(True, "visitors: views come from different addresses, or are few")]
    message = f"visitors: {share:.0%} of the recent views came from one address"
    advice = "unless that is your own test, name the network of the proxy in front in PRESSTALLY_TRUSTED_PROXIES"
    return [Finding(False, f"{message}; {advice}")]


async def _origins(installation: Installation) -> list[Finding]:
    page = await _get(f"http://127.0.0.1:{installation.ports['ingest']}/metrics")
    found = re.findall(r'^presstally_collect_refused_origins_total\{origin="(.+?)"\} (\S+)$', page, re.MULTILINE)
    refused = {origin: int(float(count)) for origin, count in found if float(count)}
    # No failure: anybody can claim any origin.
    return [
        Finding(True, f"views refused: origin {origin} is not declared ({count})")
        if origin != "other"
        else Finding(True, f"views refused: other origins are not declared ({count})")
        for origin, count in refused.items()
    ] or [Finding(True, "origins: no views refused")]


async def _clocks(installation: Installation) -> list[Finding]:
    page = await _get(f"http://127.0.0.1:{installation.ports['ingest']}/metrics")
    offset = max(_samples(page, "presstally_collector_clock_offset_seconds"), key=abs, default=0.0)
    direction = "ahead of" if offset >= 0 else "behind"
    message = f"clocks: the collector's is {abs(offset):.1f} s {direction} the broker's"
    if abs(offset) <= CLOCK_SECONDS_MAX:
        return [Finding(True, message)]
    advice = "set both by NTP (`timedatectl set-ntp true`)"
    return [Finding(False, f"{message}; {advice}: events become dead letters, or are counted at wrong times")]


async def _topics(installation: Installation) -> list[Finding]:
    async with topic_client(installation.kafka) as client:
        deviations = await check_topics(client, wanted_topics(installation.replication))
    return [Finding(False, str(one)) for one in deviations] or [Finding(True, "topics: all are as they must be")]


async def _consumers(installation: Installation) -> list[Finding]:
    unread = await unread_partitions(installation.kafka, [topic.name for topic in TOPICS])
    return [
        Finding(
            False, f"{topic}: nobody reads {describe_numbers(numbers)}: no consumer is assigned to them; {log_of()} why"
        )
        for topic, numbers in unread.items()
    ] or [Finding(True, "consumers: every partition is read")]


async def _ledger(installation: Installation) -> list[Finding]:
    async with _postgres(installation) as postgres:
        rows = await postgres.fetch(LEDGER, PAGE_VIEWS.name)
        lost = await postgres.fetchval(GAPS)
    findings = []
    if lost:
        message = f"Kafka deleted {lost} records before they were counted"
        findings.append(Finding(False, f"{message}; see docs/runbooks/UncountedRecordsDeleted.md"))
    for row in rows:
        if row["events"] != row["records"]:
            records = f"{row['records']} records were processed, but the ledger has {row['events']}"
            message = f"partition {row['partition']}: {records}"
            findings.append(Finding(False, f"{message}; run `presstally stats verify`"))
    return findings or [Finding(True, f"ledger: consistent in {len(rows)} of {len(rows)} partitions")]


async def _dead_letters(installation: Installation) -> list[Finding]:
    findings = []
    partitions = await read_partitions(installation.kafka, [topic.dead_letters for topic in TOPICS])
    async with open_consumer(installation.kafka) as kafka:
        for topic in TOPICS:
            numbers = partitions[topic.dead_letters]
            begins, ends = await kafka.beginning_offsets(numbers), await kafka.end_offsets(numbers)
            yesterday = int((time.time() - DAY_SECONDS) * 1000)
            since = await kafka.offsets_for_times(dict.fromkeys(numbers, yesterday))
            kept = sum(ends[one] - begins[one] for one in numbers)
            fresh = sum(ends[one] - found.offset for one, found in since.items() if found is not None)
            if fresh:
                message = (
                    f"dead letters: {fresh} unreadable records of {topic.name} within a day ({kept} within 30 days)"
                )
                option = "" if topic == PAGE_VIEWS else f" --topic {topic.name}"
                findings.append(Finding(False, f"{message}; `presstally stats dlq list{option}` shows them"))
    return findings or [Finding(True, "dead letters: none within a day")]


async def _publishing(installation: Installation) -> list[Finding]:
    async with _postgres(installation) as postgres:
        oldest = await postgres.fetchval(OUTBOX)
        overdue = await postgres.fetchval(OVERDUE)
        if oldest:  # in transit, or stuck
            await asyncio.sleep(OUTBOX_SECONDS)
        still = await postgres.fetchval(OUTBOX)
    findings = []
    if oldest and still == oldest:
        findings.append(Finding(False, f"outbox: published messages do not reach Kafka; {log_of('articles')} why"))
    if overdue > LAG_SECONDS_MAX:
        message = f"schedule: a publication or withdrawal is {overdue:.0f} s overdue"
        findings.append(Finding(False, f"{message}; {log_of('articles')} why"))
    return findings or [Finding(True, "outbox and schedule: nothing pending")]


async def _disk(installation: Installation) -> list[Finding]:
    free = shutil.disk_usage(installation.home).free
    message = f"disk: {free / 1024**3:.1f} GB free at {installation.home}"
    if free >= FREE_BYTES_MIN:
        return [Finding(True, message)]
    advice = f"`du -xh -d 2 {installation.home} | sort -h` shows what takes space"
    return [Finding(False, f"{message}, and on a full disk nothing is accepted or published; {advice}")]


async def _sites(installation: Installation) -> list[Finding]:
    """Check what the services would read at their next start: the folder of a theme may be gone since the last one."""
    try:
        sites = await asyncio.to_thread(read_sites, installation.sites)
        check_theme_folders(sites)
    except SitesError as error:
        return [Finding(False, f"sites: a service would not start with them: {error}")]
    return [Finding(True, f"sites: {len(sites)} declared in {installation.sites}")]


CHECKS: dict[str, Check] = {
    "sites": _sites,
    "processes": _processes,
    "readiness": _readiness,
    "gateway": _gateway,
    "counting": _counting,
    "visitors": _visitors,
    "origins": _origins,
    "clocks": _clocks,
    "topics": _topics,
    "consumers": _consumers,
    "ledger": _ledger,
    "dead letters": _dead_letters,
    "publishing": _publishing,
    "disk": _disk,
}


def _samples(page: str, metric: str) -> Iterator[float]:
    return (float(value) for value in re.findall(rf"^{metric}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE))


async def _get(url: str) -> str:
    def get() -> bytes:
        try:
            with urllib.request.urlopen(url, timeout=3) as response:  # noqa: S310 - loopback, a URL of this system
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            if url.endswith("/readyz"):
                return bytes(error.read())
            raise NoAnswerError(url, error) from error
        except OSError as error:
            raise NoAnswerError(url, error) from error

    return (await asyncio.to_thread(get)).decode()


@asynccontextmanager
async def _postgres(installation: Installation) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    try:
        connection = await asyncpg.connect(installation.database_url, timeout=3)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise PostgresUnavailableError(error) from error
    try:
        yield connection
    finally:
        connection.terminate()


def run(installation: Installation) -> int:
    """Print the results of all checks and return the exit code: 1 if one failed."""
    findings = asyncio.run(run_checks(installation))
    for finding in findings:
        print(f"  {'ok    ' if finding.is_fine else 'FAILED'}  {finding.message}")
    failed = sum(not finding.is_fine for finding in findings)
    print(f"presstally: {f'{failed} check(s) failed' if failed else 'all checks passed'}")
    return 1 if failed else 0
