"""Events of webhooks: which one a status is, and that it is queued once, in the transaction that stores the status."""

from typing import Any

import asyncpg
import msgspec
import pytest

from services.ingest.articles.publication_events import EVENTS, event_of, queue_event
from services.ingest.articles.publication_status import save_publication
from shared.events import PageLive
from shared.kafka.database_consumer import transactions


def page(version: int, status: str, article: str = "a-1") -> PageLive:
    url = "https://haihau.example/tua-1.html" if status == "live" else None
    return PageLive(article=article, version=version, status=status, url=url, reason=None, at=1_795_600_000_000)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "before", "counted", "corrections", "event"),
    [
        ("live", None, None, 0, "article.published"),
        ("live", "withdrawn", 3, 4, "article.published"),
        ("live", "live", 0, 0, "article.updated"),
        ("live", "live", 0, 1, "article.corrected"),
        ("live", "live", 2, 1, "article.updated"),
        ("live", "live", None, 1, "article.updated"),
        ("live", "failed", 0, 1, "article.corrected"),
        ("live", "failed", 1, 1, "article.updated"),
        ("live", "failed", None, 1, "article.published"),
        ("withdrawn", "live", 0, 0, "article.withdrawn"),
        ("failed", "live", 0, 0, "article.failed"),
    ],
)
def test_event_of_a_status_depends_on_the_one_before(
    status: str, before: str | None, counted: int | None, corrections: int, event: str
) -> None:
    """Publication, update, correction, withdrawal and failure are distinguished."""
    row: Any = {"status_before": before, "corrections_before": counted}
    assert event_of(page(1, status), row, corrections) == event
    assert event in EVENTS


class Record:
    """What the consumer uses of a Kafka record."""

    topic, partition, offset, timestamp, headers, key = "pages-live", 0, 0, 0, (), b"a"

    def __init__(self, live: PageLive) -> None:
        self.value = msgspec.json.encode(live)


async def report(pool: asyncpg.Pool, live: PageLive) -> None:
    await save_publication(None, transactions(pool), Record(live))  # type: ignore[arg-type]


async def queued(pool: asyncpg.Pool) -> list[tuple[str, str]]:
    rows = await pool.fetch("SELECT webhook, event FROM ingest.webhook_deliveries ORDER BY number, webhook")
    return [(row["webhook"], row["event"]) for row in rows]


async def test_events_are_queued_once_for_the_webhooks_that_want_them(api: Any) -> None:
    """Repeated and older records queue nothing; events, sites and disabled webhooks are respected."""
    pool = api.context.pool
    for name, events, sites, disabled in (
        ("all", list(EVENTS), None, False),
        ("own", ["article.published"], ["haihau"], False),
        ("other", list(EVENTS), ["giao-thuy"], False),
        ("off", list(EVENTS), None, True),
    ):
        await pool.execute(
            "INSERT INTO ingest.webhooks (id, url, events, sites, secret, created_by, disabled_at)"
            " VALUES ($1, 'https://x.example/', $2, $3, 'k', 'x', CASE WHEN $4 THEN now() END)",
            name,
            events,
            sites,
            disabled,
        )
    article = (await api.create("Bài có mật", tags=["chợ"]))["id"]
    done = (await api.call("POST", f"/articles/{article}/publish", {"version": 1}, "admin")).json()
    for _ in range(2):
        await report(pool, page(done["version"], "live", article))
    await report(pool, page(1, "withdrawn", article))
    assert await queued(pool) == [("all", "article.published"), ("own", "article.published")]
    payload = msgspec.json.decode(await pool.fetchval("SELECT payload FROM ingest.webhook_deliveries LIMIT 1"))
    assert payload["type"] == "article.published"
    assert payload["data"]["title"] == "Bài có mật"
    assert payload["data"]["url"] == "https://haihau.example/tua-1.html"
    assert payload["data"]["version"] == done["version"]
    await report(pool, page(done["version"] + 1, "withdrawn", article))
    last = await pool.fetchrow("SELECT webhook, event, payload FROM ingest.webhook_deliveries ORDER BY number DESC")
    assert (last["webhook"], last["event"]) == ("all", "article.withdrawn")
    assert "mật" not in last["payload"].decode()
    await report(pool, page(5, "live", "khong-co"))
    assert len(await queued(pool)) == 3


async def test_version_that_failed_is_not_one_that_was_served(api: Any) -> None:
    """What could not be rendered changes neither whether the article was served nor which corrections readers saw."""
    pool = api.context.pool
    await pool.execute(
        "INSERT INTO ingest.webhooks (id, url, events, secret, created_by) VALUES ('w', 'u', $1, 'k', 'x')",
        list(EVENTS),
    )
    article = (await api.create("Một"))["id"]
    first = (await api.call("POST", f"/articles/{article}/publish", {"version": 1}, "admin")).json()["version"]
    await report(pool, page(first, "failed", article))
    await report(pool, page(first, "live", article))
    fields = {"version": first, "correction": {"text": "Sửa số liệu"}}
    corrected = (await api.call("PATCH", f"/articles/{article}/live", fields, "admin")).json()["version"]
    statuses = [(corrected, "failed"), (corrected, "live"), (9, "withdrawn"), (10, "failed"), (11, "live")]
    for version, status in statuses:
        await report(pool, page(version, status, article))
    found = [event.removeprefix("article.") for _, event in await queued(pool)]
    assert found == ["failed", "published", "failed", "corrected", "withdrawn", "failed", "published"]


async def test_event_and_status_are_stored_together_or_not_at_all(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between the two leaves neither; the record is processed again, and the event is not lost."""
    pool = api.context.pool
    await pool.execute(
        "INSERT INTO ingest.webhooks (id, url, events, secret, created_by) VALUES ('w', 'u', $1, 'k', 'x')",
        list(EVENTS),
    )
    article = (await api.create("Một"))["id"]
    done = (await api.call("POST", f"/articles/{article}/publish", {"version": 1}, "admin")).json()

    seen: list[int] = []

    async def crash_once(*given: Any) -> None:
        seen.append(await pool.fetchval("SELECT count(*) FROM ingest.publications"))
        if len(seen) == 1:
            raise ConnectionResetError
        await queue_event(*given)

    monkeypatch.setattr("services.ingest.articles.publication_status.queue_event", crash_once)
    await report(pool, page(done["version"], "live", article))
    assert seen == [0, 0]
    assert await queued(pool) == [("w", "article.published")]
