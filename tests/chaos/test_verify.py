"""`verify` names every stored value that was changed, on a real Kafka and Postgres, with and without a gap.

Each kind of stored value is corrupted, one at a time, and restored. Before, changes of online, visitor IDs and
adjustments passed with drift 0, and one row in `stats.gaps` hid a whole day.
"""

import contextlib
import io
import json
import os
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.stats.admin.verify import command
from services.stats.settings import StatsSettings
from shared.cli import CommandError
from shared.kafka.log_reader import read_range
from shared.sites_file import read_sites
from tests.chaos.cluster import PARTITIONS, Cluster, Installation
from tests.chaos.polling import becomes_true

pytestmark = pytest.mark.asyncio(loop_scope="module")
GAP_PARTITION = 4
SHORT_STEP = 5
"""`make test` changes each fifth kind, of every measure and grain; `make test-long` changes all."""
TABLES = (
    "counts",
    "online",
    "visitor_days",
    "ledger",
    "referrers",
    "adjustments",
    "offsets",
    "gaps",
    "known_articles",
    "generations",
)
NOT_SHOWN = {
    "offsets": {"epoch", "window_records", "window_dead_letters"},  # they fence, and limit dead letters
    "gaps": {"id", "found_at", "generation", "topic"},  # a row that is lost is not found: nothing else has its size
    "generations": {"started_at"},
}
"""Columns that no number depends on. Any other column, also a new one, must be compared."""
OTHER_VALUES = {
    "grain": "CASE grain WHEN '5m' THEN 'hour' ELSE '5m' END",
    "outcome": "'late'",
    "measure": "'views'",
    "state": "'building'",
    "visitors": "array_append(visitors, 3)",
}
"""Other values of columns that have few of them."""
ONE_ROW = {"adjustments": "true", "generations": "true", "visitor_days": "true", "gaps": "true"}
ONE = "ctid = (SELECT ctid FROM stats.{table} WHERE {where} ORDER BY {order} LIMIT 1)"
WITHOUT_PARTITION = {"adjustments", "generations", "visitor_days"}
FORGED = "'00000000-0000-0000-0000-000000000001', 'haihau', '', 'visits', 500000, 'x', 'x', now()"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """A broker and a database server for these tests."""
    cluster = Cluster(tmp_path_factory.mktemp("verify"))
    try:
        await cluster.start()
        yield cluster
    finally:
        await cluster.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(cluster: Cluster) -> Installation:
    """A database in which a log and an adjustment are counted."""
    installation = await cluster.install(cluster.log_reader(set()))
    await send(cluster, 240)
    await send_adjustment(cluster)
    await count_all(installation)
    return installation


def one(table: str, where: str = "true") -> str:
    return ONE.format(table=table, where=where, order="1" if table in WITHOUT_PARTITION else "partition = 4 DESC")


def corruptions() -> Iterator[tuple[str, str]]:
    """Yield (statement, pattern of the sentence that must name it)."""
    places = [(grain, "") for grain in ("5m", "hour", "day", "total")] + [("day", "bai-1"), ("total", "bai-1")]
    for (grain, article), measure in product(places, ("views", "visits", "visitors")):
        row = one("counts", f"grain = '{grain}' AND article = '{article}' AND {measure} > 0")
        name = rf"haihau {re.escape(article or '(site)')} {grain} .*{measure}"
        yield f"UPDATE stats.counts SET {measure} = {measure} + 1000000 WHERE {row}", name
    for grain in ("5m", "hour", "day", "total"):
        row = one("counts", f"grain = '{grain}' AND article = '' AND views > 0")
        yield (
            f"DELETE FROM stats.counts WHERE {row}",
            rf"haihau \(site\) .*(\b{grain} .*views|views as the sum of its {grain})",
        )
    everywhere = "UPDATE stats.counts SET views = views + 1000000 WHERE article = '' AND partition = 4"
    yield everywhere, r"haihau \(site\) day .*views"
    yield "UPDATE stats.online SET visitors = array_fill(1000, ARRAY[cardinality(visitors)])", r"haihau .* online .*"
    yield f"DELETE FROM stats.online WHERE {one('online', 'partition <> 4')}", r"haihau .* online .*"
    row = "generation, site, 'bai-9', partition, first_bucket, visitors"
    added = f"INSERT INTO stats.online SELECT {row} FROM stats.online WHERE article = '' AND partition <> 4"
    yield added, "haihau bai-9 online"
    yield "DELETE FROM stats.visitor_days", r"haihau \(site\) visitor_days"
    yield "DELETE FROM stats.visitor_days WHERE visitor = (SELECT max(visitor) FROM stats.visitor_days)", "visitor_days"
    yield (
        "INSERT INTO stats.visitor_days SELECT site, day, -77, generation FROM stats.visitor_days LIMIT 1",
        "visitor_days .*not in the log|visitors by their IDs",
    )
    yield f"UPDATE stats.ledger SET events = events + 1 WHERE {one('ledger')}", "ledger"
    yield f"DELETE FROM stats.ledger WHERE {one('ledger')}", "ledger"
    yield "UPDATE stats.ledger SET outcome = 'late' WHERE partition = 0 AND outcome = 'counted'", "ledger .*late"
    yield f"UPDATE stats.referrers SET visits = visits + 7 WHERE {one('referrers')}", "referrers"
    yield f"UPDATE stats.referrers SET host = 'x.example' WHERE {one('referrers', 'partition = 1')}", "from x.example"
    yield f"DELETE FROM stats.referrers WHERE {one('referrers')}", "referrers"
    known, article = one("known_articles"), "haihau (bai-.|/) known_articles partition ."
    yield f"DELETE FROM stats.known_articles WHERE {known}", f"{article} rows, as it has counts: expected 1, stored 0"
    for place in ("-1, NULL", "-1, 7", "0, NULL", "1, 20_000"):
        row = f"SELECT generation, partition, site, 'bai-9', {place} FROM stats.known_articles WHERE {known}"
        yield f"INSERT INTO stats.known_articles {row}", f"{article} rows, as it has counts: expected 0, stored 1"
    for change in ("accepted_at_offset = accepted_at_offset + 3", "day = day + 1", "day = NULL"):
        yield f"UPDATE stats.known_articles SET {change} WHERE {one('known_articles', 'partition <> 4')}", article
    yield "UPDATE stats.adjustments SET amount = amount * 1000", "adjustment .*fields that differ and amount"
    yield "UPDATE stats.adjustments SET amount = amount * 1000", r"haihau \(site\) adjustments visits"
    yield "UPDATE stats.adjustments SET who = 'somebody else'", "adjustment .*fields that differ and who"
    yield f"INSERT INTO stats.adjustments VALUES ({FORGED})", "adjustment 0.*1 rows: expected 0, stored 1"
    yield "DELETE FROM stats.adjustments", "adjustment .*rows: expected 1, stored 0"
    columns = "generation, topic, partition, first_lost, next_available"
    forged = f"INSERT INTO stats.gaps ({columns}) VALUES (1, 'page-views', 2, 1, 4)"
    yield forged, "gap 1 to 4 partition 2 records in the log: expected 0, stored 3"
    for change in ("next_offset = next_offset - 1", "offsets_without_record = offsets_without_record + 1"):
        yield f"UPDATE stats.offsets SET {change} WHERE partition = 0", "offsets partition 0"
    yield "UPDATE stats.offsets SET next_offset = next_offset + 1 WHERE partition = 0", "partition 0 is counted to"
    yield "UPDATE stats.offsets SET newest_arrived = 5 WHERE partition = 0", "offsets partition 0 newest_arrived"
    yield "UPDATE stats.offsets SET last_record = 5 WHERE partition = 0", "offsets partition 0 last records that differ"
    yield "UPDATE stats.offsets SET cluster = 'x' WHERE partition = 0", "the counts are of topic .* of cluster x"
    yield "UPDATE stats.generations SET state = 'building'", "no row of stats.generations is the current one"
    yield "UPDATE stats.generations SET generation = 77", "offsets partition 0 offsets that nothing counts"
    forged = "INSERT INTO stats.referrers VALUES (1, 'haihau', 20000, 99, 'x.example', 7)"
    yield forged, "from x.example: expected 0, stored 7"
    forged = f"INSERT INTO stats.gaps ({columns}) VALUES (1, 'page-views', 99, 1, 4)"
    yield forged, "offsets partition 99 gaps without a position: expected 0, stored 1"


async def changes_of_columns(connection: asyncpg.Connection) -> list[str]:
    """Return a statement for each column of each table: it changes the column's value in one row."""
    rows = await connection.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'stats'"
        " AND table_name = ANY ($1) ORDER BY 1, 2",
        TABLES,
    )
    statements = []
    for table, column, kind in map(tuple, rows):
        if column in NOT_SHOWN.get(table, ()):
            continue
        other = f"{column} || 'x'" if kind == "text" else f"coalesce({column}, 0) + 1000"
        other = f"{column} - interval '1 hour'" if kind.startswith("timestamp") else other
        if table != "counts":
            other = OTHER_VALUES.get(column, other)
        else:
            other = OTHER_VALUES["grain"] if column == "grain" else other
        where = ONE_ROW.get(table, "partition <> 4")
        statements.append(f"UPDATE stats.{table} SET {column} = {other} WHERE {one(table, where)}")
    return statements


def event(number: int) -> bytes:
    fields = {
        "id": str(uuid.uuid4()),
        "site": "haihau",
        "kind": "ping" if number % 7 == 6 else "view",
        "path": "/",
        "visitor": f"{number // 2:016x}",
        "article": (None, "bai-1", "bai-2")[number % 3],
        "bot": "crawler" if number % 11 == 10 else None,
        "referrer": ("www.google.com", "zalo.me", None)[number % 3],
        "at": time.time_ns() // 1_000_000,
    }
    return json.dumps(fields).encode()


async def send(cluster: Cluster, count: int, partition: int | None = None) -> None:
    sender = cluster.sender()
    numbers = range(count)
    await sender.send([(n // 2 % PARTITIONS if partition is None else partition, event(n)) for n in numbers])
    await sender.stop()


async def send_adjustment(cluster: Cluster) -> None:
    adjustment = {"id": str(uuid.uuid4()), "site": "haihau", "article": None, "measure": "visits", "amount": 500_000}
    adjustment |= {"who": "test", "why": "opening balance", "at": time.time_ns() // 1_000_000}
    producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap)
    await producer.start()
    value = json.dumps(adjustment).encode()
    await producer.send_and_wait("counter-adjustments", value, key=str(adjustment["id"]).encode())
    await producer.stop()


class RememberedLog:
    """Ranges of the log that were read once: the log does not change while stored values are corrupted."""

    def __init__(self) -> None:
        self._ranges: dict[tuple[TopicPartition, int, int], list[Any]] = {}

    async def read_range(
        self, reader: AIOKafkaConsumer, partition: TopicPartition, begin: int, end: int
    ) -> AsyncIterator[Any]:
        key = (partition, begin, end)
        if key not in self._ranges:
            self._ranges[key] = [records async for records in read_range(reader, *key)]
        for records in self._ranges[key]:
            yield records


async def verify(here: Installation, read: Any = read_range) -> tuple[int, str]:
    """Run the command in this process; return its exit code and all that it prints."""
    part = here._part("command", ["services.stats", "verify"], here.cluster.url(here.database))
    with mock.patch.dict(os.environ, part.environment):
        settings = StatsSettings()
    output = io.StringIO()
    settle = mock.patch("services.stats.admin.verify.adjustments.SETTLE_SECONDS", 0.3)
    log = mock.patch("services.stats.admin.verify.log_recount.read_range", read)
    adjustments = mock.patch("services.stats.admin.verify.adjustments.read_range", read)
    with contextlib.redirect_stdout(output), settle, log, adjustments:
        try:
            code = await command.run(command.argparse.Namespace(), settings)
        except CommandError as error:
            code = 1
            print(error)
    return code, output.getvalue()


async def count_all(here: Installation) -> None:
    """Count everything with one counter, and stop it."""
    await here.ensure_counters(1)
    consumer = AIOKafkaConsumer(bootstrap_servers=here.cluster.bootstrap)
    await consumer.start()
    ends = await consumer.end_offsets([TopicPartition("page-views", number) for number in range(PARTITIONS)])
    await consumer.stop()
    assert await here.stored_counts.reach({one.partition: end for one, end in ends.items()}, 60)
    url = here.cluster.url(here.database)
    connection = await asyncpg.connect(url)

    async def are_entered() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM stats.adjustments") == 1)

    assert await becomes_true(are_entered, 60)
    await connection.close()
    await here.stop()


async def check_corruptions(here: Installation, step: int = 1) -> list[str]:
    """Corrupt each kind, or each `step`-th, and restore it; return those that `verify` does not name."""
    connection = await asyncpg.connect(here.cluster.url(here.database))
    await connection.execute("DROP SCHEMA IF EXISTS backup CASCADE; CREATE SCHEMA backup")
    for table in TABLES:
        await connection.execute(f"CREATE TABLE backup.{table} AS TABLE stats.{table}")
    missed, log = [], RememberedLog()
    of_columns = [
        (statement, "drift|no row of|the counts are of topic|is counted to")
        for statement in await changes_of_columns(connection)
    ]
    for statement, pattern in [*corruptions(), *of_columns][::step]:
        changed = await connection.execute(statement)
        if changed.endswith(" 0") and "stats.gaps" in statement:
            continue  # there is none yet
        code, output = await verify(here, log.read_range)
        if changed.endswith(" 0") or code != 1 or not re.search(pattern, output):
            missed.append(f"{statement}: {changed}, {code}, {output[-600:]}")
        async with connection.transaction():
            for table in TABLES:
                await connection.execute(f"DELETE FROM stats.{table}")
                overriding = "OVERRIDING SYSTEM VALUE " if table == "gaps" else ""
                await connection.execute(f"INSERT INTO stats.{table} {overriding}SELECT * FROM backup.{table}")
    await connection.close()
    code, output = await verify(here)
    assert code == 0, output
    return missed


@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", [SHORT_STEP, pytest.param(1, marks=pytest.mark.long)])
async def test_verify_names_each_corrupted_kind(here: Installation, step: int) -> None:
    """Every stored kind that is changed, added or deleted is named, and nothing before or after."""
    code, output = await verify(here)
    assert code == 0, output
    assert await check_corruptions(here, step) == []


async def test_verify_without_a_removed_site_compares_what_is_left(here: Installation, tmp_path: Path) -> None:
    """The counts of a site that is not declared any more are no drift, and it is named."""
    lines = ('slug = "other"', 'name = "O"', 'origins = ["https://other.example"]', 'timezone = "UTC"')
    (tmp_path / "sites.toml").write_text("\n".join(("[[site]]", *lines)))
    with mock.patch.object(command, "read_sites", return_value=read_sites(tmp_path / "sites.toml")):
        code, output = await verify(here)
    assert code == 0, output
    assert "site haihau is not declared any more: its counts are kept, and are not compared\n" in output
    assert "drift 0 over " in output


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_verify_names_each_corrupted_kind_beside_a_gap(cluster: Cluster, here: Installation) -> None:
    """A gap excuses its records and nothing else: the same changes are named, also on the partition of the gap."""
    await send(cluster, 20, partition=GAP_PARTITION)
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition("page-views", GAP_PARTITION): RecordsToDelete(before_offset=50)})
    await admin.close()
    await send(cluster, 24)
    await count_all(here)
    connection = await asyncpg.connect(here.cluster.url(here.database))
    gaps = await connection.fetch("SELECT first_lost, next_available FROM stats.gaps")
    await connection.close()
    assert [tuple(row) for row in gaps] == [(40, 50)]
    code, output = await verify(here)
    assert (code, "40 counted records" in output) == (0, True), output
    assert await check_corruptions(here) == []
