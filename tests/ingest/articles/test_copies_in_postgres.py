"""The copies of an article in Postgres: interleaved requests, imports and schedules, and a process that dies midway."""

import json
import os
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from services.ingest.articles.scheduler import run_next_due
from services.ingest.articles.store import read_article
from services.ingest.articles.text_authors import read_text_authors
from shared.articles import Article

EXAMPLES = int(os.environ.get("PRESSTALLY_COPIES_IN_POSTGRES_EXAMPLES", "12"))
"""docs/testing.md says how to run more."""
UNFINISHED = "CHƯA DUYỆT"
FUTURE = "2099-01-01T00:00:00Z"
NAMES = [
    *("edit", "edit", "submit", "approve", "refuse", "schedule", "schedule", "unschedule", "publish", "unpublish"),
    *("kill", "undo", "pin", "fix", "carry", "import", "import", "private", "tick", "due", "discard-draft"),
]


class Newsroom:
    """An article, and what its texts may be: titles and kickers that somebody has approved, fixed or imported."""

    def __init__(self, api: Any, number: int) -> None:
        self.api, self.number, self.count = api, number, 0
        self.path = ""
        self.allowed: set[str] = {""}
        self.scheduled_before: str | None = None

    async def begin(self) -> None:
        result = await self.imported("Bài nhập 0")
        self.path = f"/articles/{result['article']}"

    async def imported(self, title: str, **fields: Any) -> dict[str, Any]:
        line = {"external_id": str(self.number), "section": "tin-tuc", "body": "<p>x</p>", "title": title, **fields}
        self.allowed.add(title)
        sent = json.dumps(line).encode()
        response = await self.api.call("POST", "/imports?site=haihau&publish=true", sent, "admin")
        assert response.status == 200, response.body
        return dict(json.loads(response.body))

    async def call(self, method: str, path: str, body: Any = None, scope: str = "publish") -> Any:
        response = await self.api.call(method, f"{self.path}{path}", body, scope)
        assert response.status < 500, (path, response.body)
        return response

    async def read(self) -> dict[str, Any]:
        return dict((await self.call("GET", "")).json())

    async def step(self, name: str) -> str:
        """Take a step; return why a schedule may have ended by it."""
        self.count += 1
        before = await self.read()
        version = {"version": before["version"]}
        if name == "edit":
            text = f"{UNFINISHED} {self.count}"
            await self.call("PATCH", "", {**version, "title": text, "kicker": text}, "write")
        elif name == "import":
            await self.imported(f"Bài nhập {self.count}")
        elif name == "private":
            await self.imported(f"Bài riêng {self.count}", status="private")
        elif name in ("fix", "carry"):
            title = f"Sửa {self.count}"
            done = await self.call("PATCH", "/live", {**version, "title": title, "carry_over": name == "carry"})
            if done.status == 200:
                self.allowed.add(title)
        elif name == "pin":
            await self.call("PATCH", "/live", {**version, "priority": self.count % 9 + 1})
        elif name == "undo":
            await self.call("POST", "/restore", {}, "admin")
        elif name == "schedule":
            await self.call("POST", "/schedule", {**version, "publish_at": FUTURE})
        elif name in ("tick", "due"):
            if name == "due":
                await self.make_due()
            while await run_next_due(self.api.context.pool, self.api.context.sites):
                pass
            return "published" if name == "due" else ""
        else:
            now = {"publish_at": None} if name == "publish" else {}
            done = await self.call("POST", f"/{name}", {**version, **now, "reason": "x"})
            if name == "approve" and done.status == 200:
                self.allowed |= {before["title"], before["kicker"]}
            if done.status == 200 and name == "publish" and before["scheduled_version"]:
                is_other = before["state"] != "scheduled"
                assert (done.json()["superseded_schedule"] is not None) == is_other
        return name

    async def make_due(self) -> None:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await self.api.context.pool.execute(
            "UPDATE ingest.articles SET scheduled_for = $1 WHERE scheduled_for IS NOT NULL", past
        )

    async def check(self, ended_by: str) -> None:
        """Check that only allowed titles are live or sent, and that no schedule has vanished."""
        article = await self.read()
        pool: asyncpg.Pool = self.api.context.pool
        rows = await pool.fetch("SELECT value FROM ingest.outbox WHERE topic = 'articles' AND key = $1", article["id"])
        for row in rows:
            sent = msgspec.json.decode(row["value"], type=Article)
            assert {sent.title, sent.kicker} <= self.allowed
        async with pool.acquire() as connection:
            stored = await read_article(connection, article["id"])
            authors = await read_text_authors(connection, article["id"])
        assert stored is not None
        assert authors.working == stored.author
        assert (authors.scheduled is None, authors.live is None) == (stored.scheduled is None, stored.live is None)
        if stored.scheduled is not None:
            assert {stored.scheduled.title, stored.scheduled.kicker} <= self.allowed
        is_ended = self.scheduled_before is not None and stored.scheduled is None
        if is_ended:
            assert ended_by in ("unschedule", "refuse", "publish", "kill", "published"), "a schedule has vanished"
        self.scheduled_before = None if stored.scheduled is None else stored.scheduled.title
        assert (await pool.fetchval("SELECT count(*) FROM ingest.revisions WHERE article = $1", article["id"])) > 0


async def test_interleaved_requests_never_publish_what_nobody_approved(api: Any) -> None:
    """Editors, publishers, fixes, imports and the scheduler in any order: only approved texts go live."""
    seed = int(os.environ.get("PRESSTALLY_COPIES_SEED", "20"))
    for number in range(EXAMPLES):
        chance = random.Random(seed * 1_000 + number)
        newsroom = Newsroom(api, number)
        await newsroom.begin()
        steps = ["edit", "submit", "approve", "schedule"] if number % 2 else []
        steps += [chance.choice(NAMES) for _ in range(12)]
        done = []
        for name in steps:
            done.append(name)
            try:
                await newsroom.check(await newsroom.step(name))
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, article {number}, after {done}: {error}") from error


class DiedError(ConnectionError):
    """The process has died before a statement."""


REQUESTS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("PATCH", "/live", {"version": 4, "kicker": "Mục", "carry_over": True}),
    ("PATCH", "", {"version": 4, "title": "Sau nữa"}),
    ("POST", "/publish", {"version": 4, "publish_at": None}),
    ("POST", "/unschedule", {}),
    ("POST", "/unpublish", {}),
    ("POST", "/kill", {"reason": "x"}),
]


async def state_of(pool: asyncpg.Pool, article: str) -> list[Any]:
    row = await pool.fetchrow("SELECT * FROM ingest.articles WHERE id = $1", article)
    counts = [
        await pool.fetchval("SELECT count(*) FROM ingest.revisions WHERE article = $1", article),
        await pool.fetchval("SELECT count(*) FROM ingest.outbox WHERE key = $1", article),
    ]
    return [dict(row) if row is not None else None, *counts]


@pytest.mark.parametrize("request_number", range(len(REQUESTS)))
async def test_process_that_dies_before_any_statement_has_changed_nothing(
    api: Any, monkeypatch: pytest.MonkeyPatch, request_number: int
) -> None:
    """Whatever statement of a change comes last, the article, its revisions and its messages are those of before."""
    method, path, body = REQUESTS[request_number]
    article = await api.create("Tựa")
    where = f"/articles/{article['id']}"
    assert (await api.call("POST", f"{where}/publish", {"version": 1}, "admin")).status == 200
    assert (await api.call("PATCH", where, {"version": 2, "lead": "Xong"})).status == 200
    scheduled = {"version": 3, "publish_at": FUTURE}
    assert (await api.call("POST", f"{where}/schedule", scheduled, "admin")).status == 200
    await api.call("GET", where, scope="admin")  # the token is cached
    pool = api.context.pool
    before = await state_of(pool, article["id"])
    left = 0
    original = asyncpg.Connection._execute

    async def dying(connection: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise DiedError
        return await original(connection, *arguments, **options)

    for statements in range(60):
        left = statements
        with monkeypatch.context() as patched:
            patched.setattr(asyncpg.Connection, "_execute", dying)
            response = await api.call(method, where + path, body, "admin")
        if response.status == 200:
            assert statements > 3
            assert await state_of(pool, article["id"]) != before
            return
        assert response.status == 503, response.body
        assert await state_of(pool, article["id"]) == before
    raise AssertionError("the request never succeeds")
