"""The load of counter requests on Postgres, and responses while it is unavailable; with a proxy that can fail."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.stats.counter_api import counter_cache as module
from services.stats.counter_api.counter_cache import (
    ARTICLES_MAX,
    ARTICLES_WAITING_MAX,
    ARTICLES_WAITING_OF_CALLER_MAX,
    WAIT_SECONDS,
    CachedCounter,
    CounterCache,
    CounterKey,
    CountsUnavailable,
    TooManyReads,
)
from services.stats.counter_api.counter_query import SITE_VALID_SECONDS
from services.stats.counter_api.prometheus_exporter import export
from services.stats.metrics import COUNTER_READS, SITE_COUNTER
from shared.http.fair_limit import CALLER
from shared.postgres import open_pool
from shared.role import Process
from tests.chaos.proxy import Proxy
from tests.stats.support import SITE, count_views, sites_of

KEY = CounterKey(SITE, None, "visits", "calendar")


@dataclass
class Reading:
    counters: CounterCache
    proxy: Proxy
    direct: asyncpg.Connection

    def queries(self) -> float:
        return float(COUNTER_READS.labels("read")._value.get() + COUNTER_READS.labels("failed")._value.get())


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients wait for long: a slow machine is not an unavailable Postgres."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 60.0)


@pytest.fixture
async def reading(database: str, tmp_path: Path) -> AsyncIterator[Reading]:
    proxy = Proxy(urlsplit(database).port or 0)
    port = await proxy.start()
    through = database.replace(f":{urlsplit(database).port}/", f":{port}/")
    pool = await open_pool(through, role="presstally_stats", size=4, statement_timeout_seconds=2)
    direct = await asyncpg.connect(database)
    process = Process()
    yield Reading(CounterCache(pool, sites_of(tmp_path), process), proxy, direct)
    assert process.failure is None
    pool.terminate()
    await direct.close()
    await proxy.stop()


def article(number: int) -> CounterKey:
    return CounterKey(SITE, f"bai-{number}", "views", "calendar")


@pytest.mark.usefixtures("patient")
async def test_ten_thousand_requests_cost_one_query(reading: Reading) -> None:
    """For any number of concurrent requests a counter is read once, and all get the same values."""
    await count_views(reading.direct, 7)
    before = reading.queries()
    known = await asyncio.gather(*(reading.counters.get(KEY) for _ in range(10_000)))
    assert reading.queries() == before + 1
    assert {one.values.total for one in known} == {7}


async def end_of(known: CachedCounter) -> None:
    """Wait until values are valid no more."""
    await asyncio.sleep(max(0.0, known.fresh_until - time.monotonic()))


@pytest.mark.usefixtures("patient")
async def test_values_are_read_again_at_their_end(reading: Reading) -> None:
    """What was counted meanwhile is in what is read when the values are valid no more."""
    known = await reading.counters.get(KEY)
    await count_views(reading.direct, 1)
    await end_of(known)
    assert (await reading.counters.get(KEY)).values.total == 1


@pytest.mark.usefixtures("patient")
async def test_invented_articles_do_not_grow_the_cache(reading: Reading) -> None:
    """Many more articles than are kept can be asked for; they all read as zeros, and memory has its bound."""
    numbers = range(ARTICLES_MAX + 500)
    for begin in range(0, len(numbers), ARTICLES_WAITING_OF_CALLER_MAX):
        asked = [
            reading.counters.get(article(number)) for number in numbers[begin : begin + ARTICLES_WAITING_OF_CALLER_MAX]
        ]
        assert {one.values.total for one in await asyncio.gather(*asked)} == {0}
    assert len(reading.counters._of_articles) == ARTICLES_MAX


@pytest.mark.usefixtures("patient")
async def test_flood_of_articles_is_refused_and_sites_are_not(reading: Reading) -> None:
    """Of a flood of articles as many are read as may wait, of one caller and of all; a site is answered meanwhile."""
    flood = []
    for number in range(2_000):
        CALLER.set(f"203.0.113.{number // 200}")
        flood.append(asyncio.create_task(_outcome(reading.counters, article(number))))
    CALLER.set("198.51.100.1")
    await asyncio.sleep(0)
    assert (await reading.counters.get(KEY)).values.total == 0
    outcomes = await asyncio.gather(*flood)
    assert outcomes[:200].count("busy (own)") == 200 - ARTICLES_WAITING_OF_CALLER_MAX
    assert outcomes.count("read") == ARTICLES_WAITING_MAX
    assert outcomes[-1] == "busy"
    assert len(reading.counters._of_articles) == ARTICLES_WAITING_MAX
    await asyncio.gather(*(entry.reading for entry in reading.counters._of_articles.values() if entry.reading))
    assert not reading.counters._articles_waiting


@pytest.mark.usefixtures("patient")
async def test_articles_of_callers_take_turns(reading: Reading) -> None:
    """A caller who asks for one article does not wait for the fifty of another one."""
    CALLER.set("203.0.113.1")
    flood = [asyncio.create_task(_outcome(reading.counters, article(number))) for number in range(50)]
    await asyncio.sleep(0)
    CALLER.set("198.51.100.1")
    assert await _outcome(reading.counters, article(1_000)) == "read"
    assert sum(task.done() for task in flood) < 25
    await asyncio.gather(*flood)


async def _outcome(counters: CounterCache, key: CounterKey) -> str:
    try:
        await counters.get(key)
    except TooManyReads as error:
        return "busy (own)" if error.of_caller else "busy"
    except CountsUnavailable:
        return "away"
    return "read"


async def test_last_good_values_stay_while_postgres_hangs(reading: Reading) -> None:
    """When Postgres hangs, one request waits a second, the next ones do not; they get old values, marked as stale."""
    await count_views(reading.direct, 5)
    good = await reading.counters.get(KEY)
    assert not good.values.stale
    reading.proxy.freeze()
    await end_of(good)
    late = await reading.counters.get(KEY)
    begun = time.monotonic()
    for _ in range(100):
        late = await reading.counters.get(KEY)
    assert time.monotonic() - begun < 50 * WAIT_SECONDS
    assert (late.values.stale, late.values.total, late.values.as_of) == (True, 5, good.values.as_of)
    await count_views(reading.direct, 1)
    reading.proxy.thaw()
    deadline = time.monotonic() + 60
    while (again := await reading.counters.get(KEY)).values.stale:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert again.values.total == 6
    assert reading.counters.problem is None


async def test_cache_without_good_values_raises(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that were never read, or more than a day ago, are not returned."""
    good = await reading.counters.get(KEY)
    await reading.proxy.stop()
    with pytest.raises(CountsUnavailable):
        await reading.counters.get(article(1))
    assert reading.counters.problem
    await end_of(good)
    assert (await reading.counters.get(KEY)).values.stale
    await asyncio.sleep(0.5)
    monkeypatch.setattr(module, "STALE_SECONDS_MAX", 0.5)
    with pytest.raises(CountsUnavailable):
        await reading.counters.get(KEY)


@pytest.mark.usefixtures("patient")
async def test_prometheus_has_the_counters_of_sites(reading: Reading, tmp_path: Path) -> None:
    """All measures and windows of every declared site are exported, and none of them while Postgres is unavailable."""
    await count_views(reading.direct, 3)
    sites = sites_of(tmp_path)
    assert await export(reading.counters, sites)
    values = {tuple(one.labels.values()): one.value for metric in SITE_COUNTER.collect() for one in metric.samples}
    windows = [
        (measure, window) for measure in ("views", "visits", "visitors") for window in ("today", "week", "total")
    ]
    assert set(values) == {(site, *one) for site in sites for one in [*windows, ("visitors", "online")]}
    assert {value for labels, value in values.items() if labels[0] == SITE} == {3}
    await reading.proxy.stop()
    async with asyncio.timeout(60):
        while await export(reading.counters, sites):  # noqa: ASYNC110 - what was read slowly is valid for longer
            await asyncio.sleep(SITE_VALID_SECONDS)
    assert [one for metric in SITE_COUNTER.collect() for one in metric.samples] == []
