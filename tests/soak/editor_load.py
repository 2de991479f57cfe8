"""The load of editors: articles are created, published, changed and withdrawn, and checked on the portal.

A request without a response is repeated with its Idempotency-Key, so that each transition happens once.
"""

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.soak.client import NO_RESPONSE, Client, Reply
from tests.soak.load import REQUEST_SECONDS, RETRY_SECONDS, LoadResults

EVERY_SECONDS = 4.0
WAIT_SECONDS = 8
LIVE_SECONDS = 90.0


@dataclass
class EditedArticle:
    """One article and its expected state on the portal."""

    id: str
    title: str
    version: int
    path: str = ""
    is_public: bool = False
    delays: list[float] = field(default_factory=list)
    """Seconds from the response to a transition until the page shows it."""


class EditorLoad:
    """Publishes an article every few seconds; changes every second one and withdraws every third."""

    def __init__(self, port: int, token: str, results: LoadResults, live: list[str]) -> None:
        self._client = Client(port)
        self._token = token
        self._results = results
        self._live = live
        self._stop = asyncio.Event()
        self.articles: list[EditedArticle] = []
        self.steps = 0

    async def run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            begun = time.monotonic()
            await self._one(number)
            try:
                await asyncio.wait_for(self._stop.wait(), max(0.001, begun + EVERY_SECONDS - time.monotonic()))
            except TimeoutError:
                continue
        self._client.close()

    def stop(self) -> None:
        self._stop.set()

    async def _one(self, number: int) -> None:
        title = f"Soak bài số {number}"
        fields = {"site": "haihau", "section": "tin-tuc", "title": title, "slug": f"soak-{number}"}
        fields["body"] = "<p>Thân bài.</p>" * 20
        created = await self._call("POST", "/articles", fields)
        article = EditedArticle(created["id"], title, created["version"])
        self.articles.append(article)
        await self._step(article, "publish", is_public=True)
        if number % 2 == 0:
            article.title = f"{title}, sửa"
            path = f"/articles/{article.id}"
            version = (await self._call("GET", path))["version"]
            edited = await self._call("PATCH", path, {"title": article.title}, if_match=f'"{version}"')
            article.version = edited["version"]
            await self._step(article, "publish", is_public=True)
        if number % 3 == 0:
            await self._step(article, "unpublish", is_public=False)

    async def _step(self, article: EditedArticle, name: str, *, is_public: bool) -> None:
        answer = await self._call("POST", f"/articles/{article.id}/{name}", {"version": article.version})
        article.version = answer["version"]
        begun = time.monotonic()
        self.steps += 1
        article.is_public = is_public
        article.path = f"/{answer['slug']}-{answer['number']}.html"
        wanted = "live" if is_public else "withdrawn"
        while True:
            seen = await self._call(
                "GET", f"/articles/{article.id}/publication?wait={WAIT_SECONDS}s&version={answer['version']}"
            )
            if seen["status"] == wanted:
                break
            assert time.monotonic() - begun < LIVE_SECONDS, f"{article.path} is {seen}, not {wanted}"
            await asyncio.sleep(RETRY_SECONDS)
        article.delays.append(time.monotonic() - begun)
        if is_public and article.path not in self._live:
            self._live.append(article.path)
        elif not is_public:
            self._live.remove(article.path)

    async def _call(self, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """Repeat the request until there is a response, and return its body.

        Raises:
            AssertionError: the response is an error.
        """
        sent = b"" if body is None else json.dumps(body).encode()
        headers |= {"authorization": f"Bearer {self._token}", "content_type": "application/json"}
        if method == "POST":
            headers["idempotency_key"] = str(uuid.uuid4())
        again = False
        while True:
            try:
                outcome: Any = await self._client.request(
                    method, f"/api{path}", sent, seconds=REQUEST_SECONDS, **headers
                )
            except NO_RESPONSE as error:
                outcome = error
            if self._results.note("editor", outcome) and isinstance(outcome, Reply):
                if outcome.status == 412 and again:  # the first request succeeded, but its response was lost
                    return {}
                assert outcome.status in (200, 201), f"{method} {path}: {outcome.status} {outcome.body.decode()}"
                return dict(json.loads(outcome.body))
            again = True
            await asyncio.sleep(RETRY_SECONDS)

    async def findings(self) -> list[str]:
        """Request the page of each article and return a message for each that differs from its editor's last change."""
        wrong = []
        for article in self.articles:
            reply = await self._client.request("GET", article.path)
            is_shown = reply.status == 200 and article.title in reply.body.decode()
            if is_shown != article.is_public:
                wrong.append(
                    f"{article.path}: {reply.status}, though it is {'' if article.is_public else 'not '}public"
                )
        self._client.close()
        return wrong
