"""Records that producers wrote in Kafka transactions: committed ones count, aborted ones do not, open ones wait.

With `read_uncommitted` each of these tests fails.
"""

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from tests.settled import settled_counter

ROOT = Path(__file__).parent.parent.parent
Wait = Callable[..., Any]


def stats(system: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**system.environment, "DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    command = [sys.executable, "-m", "services.stats", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=90)


def views(article: str, count: int) -> list[bytes]:
    at = time.time_ns() // 1_000_000
    event = {"site": "giao-thuy", "kind": "view", "path": "/", "at": at, "article": article}
    return [
        json.dumps({**event, "id": str(uuid.uuid4()), "visitor": uuid.uuid4().hex[:16]}).encode() for _ in range(count)
    ]


async def begin(
    system: Any, values: Sequence[bytes], topic: str = "page-views", partition: int = 5
) -> AIOKafkaProducer:
    """Send records in a transaction that stays open, and return its producer."""
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka, transactional_id=f"test-{uuid.uuid4()}")
    await producer.start()
    await producer.begin_transaction()
    for value in values:
        await producer.send_and_wait(topic, value, key=json.loads(value)["id"].encode(), partition=partition)
    return producer


def total(system: Any, article: str) -> int:
    answer = system.get(f"/stats/giao-thuy/articles/{article}/counter", authorization="Bearer a-token-of-giao-thuy")
    return int(answer.json()["total"])


def test_views_of_an_aborted_transaction_are_not_counted(system: Any, wait: Wait) -> None:
    """Views of an aborted transaction leave no count, in no total, and `verify` and `rebuild` agree."""
    article = f"aborted-{uuid.uuid4().hex[:8]}"

    async def send() -> None:
        aborted = await begin(system, views(article, 60))
        await aborted.abort_transaction()
        await aborted.stop()
        committed = await begin(system, views(article, 7))
        await committed.commit_transaction()
        await committed.stop()

    asyncio.run(send())
    wait(lambda: total(system, article) >= 7, what="the committed views")
    verified = stats(system, "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    rebuilt = stats(system, "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    wait(lambda: total(system, article) == 7, what="the same number after the rebuild")


def test_counter_settles_behind_the_end_of_a_transaction(system: Any) -> None:
    """Tests that wait for the end of the log do not wait for the offset of an end of a transaction."""

    async def send() -> None:
        aborted = await begin(system, views("settled", 3))
        await aborted.abort_transaction()
        await aborted.stop()

    before = settled_counter(system, "giao-thuy", measure="views")
    asyncio.run(send())
    assert settled_counter(system, "giao-thuy", measure="views")["total"] == before["total"]


def test_views_of_an_open_transaction_wait_for_its_commit(system: Any, wait: Wait) -> None:
    """While a transaction is open, its views and later ones wait and the counter stays alive; then all are counted."""
    article = f"open-{uuid.uuid4().hex[:8]}"

    async def send() -> None:
        opened = await begin(system, views(article, 5))
        try:
            plain = AIOKafkaProducer(bootstrap_servers=system.kafka)
            await plain.start()
            for value in views(article, 3):
                await plain.send_and_wait("page-views", value, partition=5)
            await plain.stop()
            await asyncio.sleep(3)
            assert total(system, article) == 0
            assert system.get(f"http://127.0.0.1:{system.port('stats')}/livez").status == 200
            await opened.commit_transaction()
        finally:
            await opened.stop()

    asyncio.run(send())
    wait(lambda: total(system, article) == 8, what="all views")


@pytest.mark.parametrize("committed", [False, True])
def test_adjustment_is_applied_only_if_its_transaction_is_committed(system: Any, wait: Wait, committed: bool) -> None:
    """An adjustment of an aborted transaction changes no total."""
    article = f"adjusted-{uuid.uuid4().hex[:8]}"
    fields = {"site": "giao-thuy", "article": article, "measure": "views", "who": "test", "why": "test"}

    def adjustment(amount: int) -> bytes:
        at = time.time_ns() // 1_000_000
        return json.dumps({**fields, "id": str(uuid.uuid4()), "amount": amount, "at": at}).encode()

    async def send() -> None:
        first = await begin(system, [adjustment(1_000)], "counter-adjustments", 0)
        await (first.commit_transaction() if committed else first.abort_transaction())
        await first.stop()
        then = await begin(system, [adjustment(1)], "counter-adjustments", 0)
        await then.commit_transaction()
        await then.stop()

    asyncio.run(send())
    wait(lambda: total(system, article) == (1_001 if committed else 1), what="the adjustment")


def test_article_of_an_aborted_transaction_is_not_published(system: Any, editors: Any, wait: Wait) -> None:
    """An article state of an aborted transaction reaches no page; a committed one behind it does."""
    made = editors.publish(editors.create("Giao dịch")["id"])
    ids = {end: str(uuid.uuid4()) for end in ("abort", "commit")}

    async def send() -> None:
        live = await live_copy(system, made["id"])
        for number, end in ((990_001, "abort"), (990_002, "commit")):
            changes = {"id": ids[end], "number": number, "slug": f"giao-dich-{end}", "title": f"Giao dịch {end}"}
            producer = await begin(system, [json.dumps({**live, **changes}).encode()], "articles", 1)
            await (producer.abort_transaction() if end == "abort" else producer.commit_transaction())
            await producer.stop()

    asyncio.run(send())
    wait(lambda: system.get("/giao-dich-commit-990002.html").status == 200, what="the committed article")
    assert system.get("/giao-dich-abort-990001.html").status == 404
    editors.wait_for_recovery(ids["commit"], 1)


async def live_copy(system: Any, article: str) -> dict[str, Any]:
    connection = await asyncpg.connect(system.database_url)
    try:
        return dict(json.loads(await connection.fetchval("SELECT live FROM ingest.articles WHERE id = $1", article)))
    finally:
        await connection.close()
