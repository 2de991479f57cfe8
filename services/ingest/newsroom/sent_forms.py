"""Forms that are sent twice, as by a double click: one takes effect, and both get its answer.

A browser shows the answer to the second click only. What is known here is of this process; of other ones the editor
API knows which forms they are processing, and to which page each has led.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from services.ingest.newsroom.api_client import SECONDS_MAX, ApiError, ApiUnavailableError

if TYPE_CHECKING:
    from services.ingest.newsroom.pages import Page

KEPT_SECONDS = 30.0
"""Long enough for impatient clicks over a bad line; who goes back to the form later is asked again."""
ANSWERS_MAX = 1_000
ASK_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""How long to wait for the answer of another process before it is asked for again; the last one for all that follow."""


class SentForms:
    """The answers to forms that are being processed, and those of the last seconds that led on.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: dict[bytes, asyncio.Task[tuple[Response, list[str]]]] = {}
        self._kept: dict[bytes, float] = {}

    async def answer(self, page: "Page", work: Callable[["Page"], Awaitable[Response]]) -> Response:
        """Return what `work` answers to the form of a page, or has just answered to the same form.

        The work goes on when the browser that sent the form first has left. An answer that does not lead on, such as
        an error, is given to those who wait for it and is not kept: the form can be sent again.
        """
        if not page.text("form_number"):
            return await work(page)
        self._forget()
        key = _key(page)
        task = self._answers.get(key)
        if task is None:
            task = asyncio.create_task(_run(page, work, key.hex()))
            self._answers[key] = task
            task.add_done_callback(partial(self._answered, key))
        answer, cookies = await asyncio.shield(task)
        page.api.cookies += [one for one in cookies if one not in page.api.cookies]
        return Response(answer.body, answer.status_code, dict(answer.headers))

    def _answered(self, key: bytes, task: asyncio.Task[tuple[Response, list[str]]]) -> None:
        if task.cancelled() or task.exception() is not None or task.result()[0].status_code != 303:
            del self._answers[key]
        else:
            self._kept[key] = self._clock()

    def _forget(self) -> None:
        until = self._clock() - KEPT_SECONDS
        while self._kept:
            oldest = next(iter(self._kept))
            if self._kept[oldest] > until and len(self._kept) < ANSWERS_MAX:
                return
            del self._kept[oldest], self._answers[oldest]


def _key(page: "Page") -> bytes:
    """Return what two forms have in common only if the second is the first, sent again, by the same session."""
    digest = hashlib.sha256()
    fields = [(name, str(value)) for name, value in page.form.multi_items()]
    for text in (str(page.request.url), *(text for one in fields for text in one)):
        part = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(part) + part)
    return digest.digest()


async def _run(page: "Page", work: Callable[["Page"], Awaitable[Response]], form: str) -> tuple[Response, list[str]]:
    """Process a form, unless another process does: then return where that has led."""
    path = f"/me/sent-forms/{form}"
    try:
        known = await _begin(page, path)
    except (ApiError, ApiUnavailableError):  # what the form asks for meets the same refusal, and says so
        return await work(page), page.api.cookies
    if known is not None:
        return RedirectResponse(known, 303), page.api.cookies
    location = None
    try:
        response = await work(page)
        location = response.headers["location"] if response.status_code == 303 else None
    finally:
        # With new cookies the session is another one: a copy of the form with the former one is refused.
        if not page.api.cookies:
            await _finish(page, path, location)
    return response, page.api.cookies


async def _finish(page: "Page", path: str, location: str | None) -> None:
    """Tell other processes where a form has led; None if it can be sent again."""
    with contextlib.suppress(ApiError, ApiUnavailableError):  # they wait for a minute at most
        if location is None:
            await page.api.send("DELETE", path, csrf=page.sent_csrf)
        else:
            await page.api.send("PUT", path, {"answer": location}, csrf=page.sent_csrf)
    page.api.cookies.clear()  # those of a session that has ended meanwhile


async def _begin(page: "Page", path: str) -> str | None:
    """Return where another process has led the same form; None if it is this one's to process."""
    waited, asked = 0.0, 0
    while True:
        found = await page.api.send("PUT", path, {}, csrf=page.sent_csrf)
        if found["state"] != "pending" or waited > SECONDS_MAX:
            return str(found["answer"]) if found["state"] == "answered" else None
        seconds = ASK_SECONDS[min(asked, len(ASK_SECONDS) - 1)]
        await asyncio.sleep(seconds)
        waited, asked = waited + seconds, asked + 1
