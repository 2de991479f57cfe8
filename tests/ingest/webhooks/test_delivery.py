"""Deliveries: retries, order, claims of processes that died, and webhooks that are disabled."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from services.ingest.queries import SQL
from services.ingest.webhooks.delivery import CLAIM_SECONDS, RETRY_SECONDS, Deliveries
from shared.http.checked_connection import UnreachableError
from shared.http.guarded_sender import Sender


class FakeSender(Sender):
    """Answers by webhook, and records what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: dict[str, int | Exception] = {}
        self.gates: dict[str, asyncio.Event] = {}

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> int:
        self.sent.append((url, headers, body))
        if url in self.gates:
            await self.gates[url].wait()
        answer = self.answers.get(url, 200)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def add_webhook(pool: asyncpg.Pool, name: str) -> None:
    await pool.execute(
        "INSERT INTO ingest.webhooks (id, url, events, secret, created_by)"
        " VALUES ($1, $1, '{article.updated}', 'k', 'x')",
        name,
    )


async def add_event(pool: asyncpg.Pool, webhook: str, message: str, article: str = "a") -> None:
    await pool.execute(
        "INSERT INTO ingest.webhook_deliveries (message, webhook, event, article, payload)"
        " VALUES ($2, $1, 'article.updated', $3, '{}')",
        webhook,
        message,
        article,
    )


async def run_due(pool: asyncpg.Pool, sender: FakeSender) -> Deliveries:
    """Send all that is due now, and wait for it."""
    deliveries = Deliveries(pool, sender)
    await deliveries.start_due()
    while deliveries._running:
        await asyncio.wait(set(deliveries._running))
    return deliveries


async def states(pool: asyncpg.Pool, webhook: str) -> list[str]:
    rows = await pool.fetch(SQL["list_deliveries"], webhook, None, 2**63 - 1, 100)
    return [f"{row['message']} {row['state']} {row['attempts']}" for row in rows[::-1]]


async def due_now(pool: asyncpg.Pool) -> None:
    await pool.execute("UPDATE ingest.webhook_deliveries SET next_at = now() WHERE next_at IS NOT NULL")


async def test_events_of_an_article_arrive_in_order_and_others_do_not_wait(pool: asyncpg.Pool) -> None:
    """While an event is tried again, later ones of its article wait, and those of other articles are sent."""
    sender = FakeSender()
    await add_webhook(pool, "w")
    await add_event(pool, "w", "1")
    await add_event(pool, "w", "2")
    sender.answers["w"] = 500
    await run_due(pool, sender)
    sender.answers["w"] = 200
    await add_event(pool, "w", "3", "b")
    await run_due(pool, sender)
    assert await states(pool, "w") == ["1 pending 1", "2 pending 0", "3 delivered 1"]
    await due_now(pool)
    await run_due(pool, sender)
    assert [headers["webhook-id"] for _, headers, _ in sender.sent] == ["1", "3", "1", "2"]
    assert await states(pool, "w") == ["1 delivered 2", "2 delivered 1", "3 delivered 1"]


async def test_failing_event_is_tried_for_a_day_and_then_dead(pool: asyncpg.Pool) -> None:
    """Every wait is that of the table; after the last one the event is dead, listed, and can be sent again."""
    sender = FakeSender()
    await add_webhook(pool, "w")
    await add_event(pool, "w", "1")
    sender.answers["w"] = UnreachableError("the server did not answer in time")
    for seconds in RETRY_SECONDS:
        await run_due(pool, sender)
        row = await pool.fetchrow("SELECT next_at - now() AS wait, last_result FROM ingest.webhook_deliveries")
        assert abs(row["wait"] - timedelta(seconds=seconds)) < timedelta(seconds=20)
        assert row["last_result"] == "the server did not answer in time"
        await due_now(pool)
    await run_due(pool, sender)
    assert await states(pool, "w") == [f"1 dead {len(RETRY_SECONDS) + 1}"]
    assert 20 * 3600 < sum(RETRY_SECONDS) < 30 * 3600
    sender.answers["w"] = 200
    await pool.fetch(SQL["redeliver"], "w", None)
    await run_due(pool, sender)
    assert await states(pool, "w") == ["1 delivered 1"]
    assert await pool.fetchval("SELECT failing_since FROM ingest.webhooks") is None


@pytest.mark.parametrize("status", [199, 301, 302, 307, 400, 401, 404, 429, 500, 503])
async def test_other_statuses_than_success_are_tried_again(pool: asyncpg.Pool, status: int) -> None:
    """Redirects and errors alike are failures."""
    sender = FakeSender()
    await add_webhook(pool, "w")
    await add_event(pool, "w", "1")
    sender.answers["w"] = status
    await run_due(pool, sender)
    assert await states(pool, "w") == ["1 pending 1"]


async def test_slow_receiver_delays_no_other(pool: asyncpg.Pool) -> None:
    """While one webhook hangs with many events, others get theirs; two processes never send the same event."""
    sender = FakeSender()
    for name in ("slow", "fast"):
        await add_webhook(pool, name)
        for number in range(4):
            await add_event(pool, name, f"{name} {number}", f"a{number}")
    sender.gates["slow"] = asyncio.Event()
    one, two = Deliveries(pool, sender), Deliveries(pool, sender)
    async with asyncio.timeout(60):
        while await states(pool, "fast") != [f"fast {number} delivered 1" for number in range(4)]:
            await asyncio.gather(one.start_due(), two.start_due())
            await asyncio.sleep(0.02)
    assert [url for url, _, _ in sender.sent].count("slow") == 1
    sender.gates["slow"].set()
    while one._running or two._running:
        await asyncio.wait(one._running | two._running)
    assert sorted(headers["webhook-id"] for _, headers, _ in sender.sent) == sorted(
        f"{name} {number}" for name in ("slow", "fast") for number in range(4)
    )


async def test_claim_of_a_process_that_died_ends(pool: asyncpg.Pool) -> None:
    """Killed while sending, the event is sent again with the same ID, once the claim has ended and not before."""
    sender = FakeSender()
    await add_webhook(pool, "w")
    await add_event(pool, "w", "1")
    assert len(await pool.fetch(SQL["claim_deliveries"], 8, timedelta(seconds=CLAIM_SECONDS))) == 1
    await run_due(pool, sender)
    assert sender.sent == []
    await pool.execute("UPDATE ingest.webhook_deliveries SET claimed_until = now() - interval '1 s'")
    await run_due(pool, sender)
    assert await states(pool, "w") == ["1 delivered 1"]


async def test_webhook_is_disabled_after_days_of_failures_or_at_410(pool: asyncpg.Pool) -> None:
    """The reason is stored; what waits is sent once it is enabled again; a success before ends the count."""
    sender = FakeSender()
    for name in ("days", "gone"):
        await add_webhook(pool, name)
        await add_event(pool, name, "1")
    sender.answers |= {"days": 500, "gone": 410}
    await run_due(pool, sender)
    await pool.execute("UPDATE ingest.webhooks SET failing_since = now() - interval '3 days 1 minute'")
    await due_now(pool)
    await run_due(pool, sender)
    rows = {row["id"]: row for row in await pool.fetch(SQL["list_webhooks"])}
    assert rows["days"]["disabled_reason"] == "nothing was delivered for 3 days; last result: status 500"
    assert rows["gone"]["disabled_reason"] == "the receiver answered 410: it wants no more events"
    assert await pool.fetchval(SQL["count_disabled_webhooks"]) == 2
    count = len(sender.sent)
    await due_now(pool)
    await run_due(pool, sender)
    assert len(sender.sent) == count
    sender.answers["days"] = 200
    await pool.execute(SQL["update_webhook"], "days", "days", "", ["article.updated"], None, None, None, None)
    await run_due(pool, sender)
    assert await states(pool, "days") == ["1 delivered 3"]


async def test_request_is_signed_with_both_secrets_for_a_day(pool: asyncpg.Pool) -> None:
    """After a rotation there are two signatures, and one once the former secret has ended."""
    sender = FakeSender()
    await add_webhook(pool, "w")
    await pool.fetchrow(SQL["rotate_webhook_secret"], "w", b"new", timedelta(days=1))
    await add_event(pool, "w", "1")
    await run_due(pool, sender)
    await pool.execute("UPDATE ingest.webhooks SET previous_secret_until = now()")
    await add_event(pool, "w", "2")
    await run_due(pool, sender)
    counts = [len(headers["webhook-signature"].split(" ")) for _, headers, _ in sender.sent]
    assert counts == [2, 1]


async def test_old_deliveries_are_deleted_and_open_ones_stay(pool: asyncpg.Pool) -> None:
    """Delivered ones after 7 days, dead ones after 30, pending ones never."""
    await add_webhook(pool, "w")
    for message in ("open", "delivered", "dead"):
        await add_event(pool, "w", message, message)
    await pool.execute(
        "UPDATE ingest.webhook_deliveries SET next_at = NULL, ended_at = now() - interval '8 days',"
        " is_delivered = message = 'delivered' WHERE message <> 'open'"
    )
    await pool.execute(SQL["delete_old_deliveries"])
    assert [one.split()[0] for one in await states(pool, "w")] == ["open", "dead"]


async def running_until(pool: asyncpg.Pool, sender: FakeSender, *expected: str) -> None:
    """Run deliveries until the webhook's events are in these states."""
    async with asyncio.timeout(60):
        while await states(pool, "w") != list(expected):  # noqa: ASYNC110 - it is in Postgres
            await asyncio.sleep(0.02)


async def test_deliveries_are_woken_by_what_is_due(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """New events, dead ones that are sent again, and those of a webhook that is enabled are sent without polling."""
    monkeypatch.setattr("services.ingest.webhooks.delivery.IDLE_SECONDS", 3_600.0)
    sender = FakeSender()
    await add_webhook(pool, "w")
    running = asyncio.create_task(Deliveries(pool, sender).run())
    await asyncio.sleep(0.2)
    sender.answers["w"] = 410
    await add_event(pool, "w", "1")
    await running_until(pool, sender, "1 dead 1")
    await add_event(pool, "w", "2", "b")
    await pool.fetch(SQL["redeliver"], "w", None)
    sender.answers["w"] = 200
    await asyncio.sleep(0.2)
    assert len(sender.sent) == 1, "it is disabled"
    await pool.execute(SQL["update_webhook"], "w", "w", "", ["article.updated"], None, None, None, None)
    await running_until(pool, sender, "1 delivered 1", "2 delivered 1")
    running.cancel()
    await asyncio.wait([running])


async def test_deliveries_read_nothing_while_nothing_is_due(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At rest there is no query; an event that waits for its time is awaited, not polled for."""
    sender = FakeSender()
    deliveries = Deliveries(pool, sender)
    steps = 0
    step = deliveries._step

    async def counted() -> None:
        nonlocal steps
        steps += 1
        await step()

    monkeypatch.setattr(deliveries, "_step", counted)
    await add_webhook(pool, "w")
    running = asyncio.create_task(deliveries.run())
    async with asyncio.timeout(60):
        while not steps:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)
    await asyncio.sleep(2.5)
    assert steps == 1
    await add_event(pool, "w", "1")
    await running_until(pool, sender, "1 delivered 1")
    running.cancel()
    await asyncio.wait([running])


async def test_result_of_an_ended_claim_is_not_stored(pool: asyncpg.Pool) -> None:
    """A process that was frozen while another one took its event over changes neither the claim nor the state."""
    sender = FakeSender()
    await add_webhook(pool, "w")
    await add_event(pool, "w", "1")
    deliveries = Deliveries(pool, sender)
    (frozen,) = await pool.fetch(SQL["claim_deliveries"], 8, timedelta(seconds=CLAIM_SECONDS))
    await pool.execute("UPDATE ingest.webhook_deliveries SET claimed_until = now() - interval '1 s'")
    (other,) = await pool.fetch(SQL["claim_deliveries"], 8, timedelta(seconds=CLAIM_SECONDS))
    for answer in (500, 410, 200):
        sender.answers["w"] = answer
        await deliveries.deliver(frozen)
        claim = await pool.fetchval("SELECT claimed_until FROM ingest.webhook_deliveries")
        assert (claim, await states(pool, "w")) == (other["claimed_until"], ["1 pending 0"]), answer
    await deliveries.deliver(other)
    sender.answers["w"] = 500
    await deliveries.deliver(frozen)
    assert await states(pool, "w") == ["1 delivered 1"]


async def test_deliveries_run_until_cancelled(pool: asyncpg.Pool) -> None:
    """The task sends what becomes due while it runs."""
    sender: Any = FakeSender()
    await add_webhook(pool, "w")
    running = asyncio.create_task(Deliveries(pool, sender).run())
    await add_event(pool, "w", "1")
    async with asyncio.timeout(60):
        while not (await states(pool, "w"))[0].endswith("delivered 1"):  # noqa: ASYNC110 - it is in Postgres
            await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait([running])
