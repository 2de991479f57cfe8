"""Live fixes, drafts and schedules while ingest, its relay and the builder are killed at any point."""

import asyncio
import html
import os
import signal
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from shared.articles import Article
from tests.e2e.test_articles_in_order import read_topic, wait_for_outbox

KILLS = int(os.environ.get("PRESSTALLY_KILLS", "4"))
"""docs/testing.md says how to run more."""
DESKS = 2
WAIT_SECONDS = 120.0
"""Of a machine that has other work."""
UNFINISHED = "CHƯA DUYỆT"


class Desk(threading.Thread):
    """Writes drafts of one article, fixes it live and schedules it, until stopped, through kills of the server."""

    def __init__(self, editors: Any, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.editors, self.number, self.stop = editors, number, stop
        self.article = ""
        self.approved: set[str] = set()
        self.fixes = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            title = f"Bài {self.number}"
            self.approved.add(title)
            given = {
                "site": "haihau",
                "section": "tin-tuc",
                "title": title,
                "body": "<p>x</p>",
                "slug": f"bai-kill-{self.number}",
            }
            self.article = self.call("POST", "/articles", given).json()["id"]
            self.call("POST", f"/articles/{self.article}/publish", {"version": 1})
            count = 0
            while not self.stop.is_set():
                count += 1
                self.write(count)
        except BaseException as error:  # noqa: BLE001 - reported by the test
            self.error = error

    def write(self, count: int) -> None:
        path = f"/articles/{self.article}"
        self.call("PATCH", path, {"title": f"{UNFINISHED} {count}"}, if_match="*")
        fixed = self.call(
            "PATCH", f"{path}/live", {"lead": f"Sửa {count}", "carry_over": "where_possible"}, if_match="*"
        )
        self.fixes += fixed.status == 200
        if count % 3:
            return
        title = f"Duyệt {count}"
        self.approved.add(title)
        version = self.call("PATCH", path, {"title": title}, if_match="*").json()["version"]
        due = datetime.now(UTC) + timedelta(seconds=0.7)
        self.call("POST", f"{path}/schedule", {"version": version, "publish_at": due.isoformat()})

    def call(self, method: str, path: str, body: Any, **headers: str) -> Any:
        if method == "POST" or path.endswith("/live"):
            headers["idempotency_key"] = str(uuid.uuid4())
        while True:
            try:
                answer = self.editors.call(method, path, body, "admin", **headers)
            except OSError:
                time.sleep(0.1)
                continue
            if answer.status not in (502, 503):
                assert answer.status < 500, answer.text
                return answer
            time.sleep(0.1)


async def live_copies(database: str, ids: list[str]) -> dict[str, Article]:
    connection = await asyncpg.connect(database)
    try:
        await wait_for_outbox(connection)
        rows = await connection.fetch("SELECT id, live, scheduled FROM ingest.articles WHERE id = ANY ($1)", ids)
    finally:
        await connection.close()
    assert [row["id"] for row in rows if row["scheduled"] is not None] == []
    return {row["id"]: msgspec.json.decode(row["live"], type=Article) for row in rows}


async def test_copies_through_kills_publish_nothing_unfinished(system: Any, editors: Any, wait: Any) -> None:
    """Kafka gets approved texts with their fixes only, in order; each schedule is done; pages show the live version."""
    editors.token("admin")
    stop = threading.Event()
    desks = [Desk(editors, number, stop) for number in range(DESKS)]
    for desk in desks:
        desk.start()
    for number in range(KILLS):
        await asyncio.sleep(0.9 + number * 0.13)
        part = ("articles", "render")[number % 2]
        killed = system.state()["parts"][part]
        os.kill(killed, signal.SIGKILL)
        await asyncio.to_thread(
            wait, lambda part=part, before=killed: system.state()["parts"].get(part) not in (None, before), WAIT_SECONDS
        )
    await asyncio.to_thread(wait, system.all_ready, WAIT_SECONDS)
    stop.set()
    for desk in desks:
        await asyncio.to_thread(desk.join, WAIT_SECONDS)
        assert desk.error is None, desk.error
    ids = [desk.article for desk in desks]

    async def nothing_due() -> bool:
        connection = await asyncpg.connect(system.database_url)
        try:
            return not await connection.fetchval(
                "SELECT count(*) FROM ingest.articles WHERE scheduled_for IS NOT NULL AND id = ANY ($1)", ids
            )
        finally:
            await connection.close()

    async with asyncio.timeout(WAIT_SECONDS):
        while not await nothing_due():  # noqa: ASYNC110 - Postgres has no event
            await asyncio.sleep(0.2)
    live = await live_copies(system.database_url, ids)
    topic = await read_topic(system.kafka, set(ids))
    for desk in desks:
        assert desk.fixes
        sent = topic[desk.article]
        assert {one.title for one in sent} <= desk.approved
        versions = [one.version for one in {one.version: one for one in sent}.values()]
        assert versions == sorted(versions)
        assert sent[-1] == live[desk.article]
        shown = live[desk.article]
        path = f"/{shown.slug}-{shown.number}.html"
        await asyncio.to_thread(
            wait, lambda path=path, shown=shown: html.escape(shown.lead) in system.get(path).text, WAIT_SECONDS
        )
        assert UNFINISHED not in system.get(path).text
