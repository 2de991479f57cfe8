"""The command that takes a group out of the counts, on a real Postgres and a log in memory."""

import argparse
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.stats.admin import exclude, rebuild
from services.stats.queries import STATISTICS_SQL
from services.stats.settings import StatsSettings
from shared.cli import CommandError
from shared.events import Adjustment
from shared.kafka.topic_identity import TopicIdentity
from shared.postgres import open_pool
from tests.stats.admin.test_rebuild import FakeConsumer
from tests.stats.counting.test_whole_path import count_all
from tests.stats.suspects.traffic import FLEET, PEOPLE, SITE, day_of

TOTALS = """SELECT sum(views)::int AS views, sum(visitors)::int AS visitors FROM stats.counts
    WHERE grain = 'total' AND article = ''"""


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Callable[[asyncpg.Pool, Any, dict[int, int]], None]:
    """Stands for Kafka: a log in memory, and adjustments that arrive in Postgres at once."""

    def use(pool: asyncpg.Pool, partitions: Any, begins: dict[int, int]) -> None:
        @asynccontextmanager
        async def consuming(_: object) -> AsyncIterator[Any]:
            yield FakeConsumer(partitions, begins)

        async def read_topic(client: Any, topic: str) -> tuple[TopicIdentity, list[int]]:
            return TopicIdentity("c", "t"), sorted(partitions)

        async def submit(_: object, __: object, one: Adjustment) -> None:
            group = (one.excluded.agent, one.excluded.begin, one.excluded.end) if one.excluded else (None, None, None)
            await pool.execute(
                "INSERT INTO stats.adjustments VALUES ($1, $2, '', $3, $4, $5, $6, $7, $8, $9, $10)",
                *(one.id, one.site, one.measure, one.amount, one.who, one.why),
                datetime.fromtimestamp(one.at / 1000, UTC),
                *group,
            )

        async def nothing_lost(*_: object) -> None:
            pass

        monkeypatch.setattr(exclude, "consuming", consuming)
        monkeypatch.setattr(exclude, "log_reader", consuming)
        monkeypatch.setattr(exclude, "refuse_lost_records", nothing_lost)
        monkeypatch.setattr(exclude, "submit", submit)
        monkeypatch.setattr(rebuild, "read_topic", read_topic)

    return use


async def run(database: str, tmp_path: Path, *arguments: str) -> None:
    parser = argparse.ArgumentParser()
    exclude.add_arguments(parser)
    file = tmp_path / "sites.toml"
    lines = ('slug = "haihau"', 'name = "H"', f'origins = ["{SITE.origins[0]}"]', 'timezone = "Asia/Ho_Chi_Minh"')
    file.write_text("\n".join(("[[site]]", *lines)))
    settings = StatsSettings(database_url=database, kafka_bootstrap="127.0.0.1:1", sites=file)
    await exclude.run(parser.parse_args(arguments), settings)


async def test_exclude_takes_a_suspect_out_and_reverses_it(
    database: str, tmp_path: Path, kafka: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fleet leaves the totals and nobody else does; --list says so; --reverse brings it back."""
    monkeypatch.setattr(exclude, "CLOCK_MS", -(10**12))  # the generated day may be in the future
    traffic = day_of(3, [*PEOPLE, FLEET], part=0.05)
    people = sum(not one.crowd.is_fleet for one in traffic.visitors.values())
    pool = await open_pool(database, role="presstally_stats", size=2)
    for number, records in traffic.partitions.items():
        await count_all(pool, number, records, [])
    kafka(pool, traffic.partitions, dict.fromkeys(traffic.partitions, 0))
    before = await pool.fetchrow(TOTALS)
    (agent,) = {one.agent for one in traffic.visitors.values() if one.crowd.is_fleet}
    day = ("--site", "haihau", "--day", "2026-11-24")
    with pytest.raises(CommandError, match="--why is required"):
        await run(database, tmp_path, "--group", f"{agent:08x}", "--why", " ", *day)
    with pytest.raises(CommandError, match="unknown site 'no'"):
        await run(database, tmp_path, "--list", "--site", "no")
    await run(database, tmp_path, "--list")
    assert capsys.readouterr().out == "there are no exclusions\n"
    with pytest.raises(CommandError, match="00000001 is no suspect of haihau"):
        await run(database, tmp_path, "--group", "00000001", "--why", "x", *day)
    await run(database, tmp_path, "--group", f"{agent:08x}", "--why", "a fleet", "--who", "An", *day)
    said = capsys.readouterr().out
    assert "2,000 visitors of haihau were taken out of the counts by " in said
    assert "may arrive late, until 2026-11-27 01:00: `presstally stats rebuild` takes those out" in said
    after = await pool.fetchrow(TOTALS)
    assert before is not None
    assert after is not None
    assert (before["views"] - after["views"], after["visitors"]) == (2_000, people)
    name = await pool.fetchval("SELECT id FROM stats.adjustments")
    await run(database, tmp_path, "--list")
    listed = capsys.readouterr().out
    assert listed.startswith(f"{name}  haihau  group {agent:08x}  2026-11-24 09:00 to 00:00  2,000 visitors, out of ")
    assert listed.endswith("An: a fleet\n")
    (note,) = await pool.fetch(STATISTICS_SQL["exclusions"], "haihau", 0, 2**62, 5)
    assert tuple(note)[3:] == (2_000, True, "a fleet")
    with pytest.raises(CommandError, match="unknown exclusion x"):
        await run(database, tmp_path, "--reverse", "x", "--why", "x")
    await run(database, tmp_path, "--reverse", name, "--why", "an app")
    assert f"the exclusion {name} is reversed" in capsys.readouterr().out
    await run(database, tmp_path, "--reverse", name, "--why", "again")
    assert "is already reversed by " in capsys.readouterr().out
    assert await pool.fetchrow(TOTALS) == before
    (note,) = await pool.fetch(STATISTICS_SQL["exclusions"], "haihau", 0, 2**62, 5)
    assert tuple(note)[3:5] == (2_000, False)
    await pool.close()


async def test_exclude_of_a_day_that_the_log_lacks_is_refused(database: str, tmp_path: Path, kafka: Any) -> None:
    """Nothing is entered and nothing is counted again if Kafka no longer has the day."""
    traffic = day_of(4, [*PEOPLE, FLEET], part=0.05)
    pool = await open_pool(database, role="presstally_stats", size=2)
    for number, records in traffic.partitions.items():
        await count_all(pool, number, records, [])
    kafka(pool, traffic.partitions, dict.fromkeys(traffic.partitions, 50))
    before = await pool.fetchrow(TOTALS)
    (agent,) = {one.agent for one in traffic.visitors.values() if one.crowd.is_fleet}
    arguments = ("--group", f"{agent:08x}", "--why", "x", "--site", "haihau", "--day", "2026-11-24")
    with pytest.raises(CommandError, match="Kafka no longer has all events of that day"):
        await run(database, tmp_path, *arguments)
    assert await pool.fetchval("SELECT count(*) FROM stats.adjustments") == 0
    assert await pool.fetchval("SELECT count(*) FROM stats.generations") == 1
    assert await pool.fetchrow(TOTALS) == before
    await pool.close()
