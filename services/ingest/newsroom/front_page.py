"""The front page: the lead story, the slots after it and the breaking-news bar, each with an end; a look at a time."""

import asyncio
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.pages import Page, screen, whole_number
from services.ingest.newsroom.times import api_value
from shared.front_page import BREAKING_CHARACTERS_MAX, SLOTS_MAX
from shared.translations import pgettext, translate

PATH = "trang-nhat"
CANDIDATES = 60
"""Live articles that can be chosen; others are named by their ID."""
SLOT_TIME = timedelta(days=1)
"""What a script proposes as the end of a slot."""
REASONS = translate(
    {
        "slot": pgettext("front page", "slot"),
        "pinned": pgettext("front page", "pinned"),
        "featured": pgettext("front page", "featured"),
        "newest": pgettext("front page", "newest"),
    }
)
SAVED = pgettext("done", "The front page is arranged; visitors see it within seconds.")
NO_TIME = pgettext("front page", "Each slot needs an end: a date and a time.")
OWN_ERRORS = (403, 404, 409, 412, 422, 428)


async def show_front_page(page: Page) -> Response:
    """Show the front page as it is arranged, and what visitors see at a time."""
    return await _front_page(page)


async def _front_page(
    page: Page, error: ApiError | None = None, *, typed: dict[str, Any] | None = None, problem: str | None = None
) -> Response:
    at = _time(page, page.query("at"))
    stored, found = await asyncio.gather(
        page.api.get("/front-page", site=page.site_slug, at=at),
        page.api.get(
            "/articles", site=page.site_slug, having=["live"], sort="published", fields="short", limit=CANDIDATES
        ),
    )
    choices = {one["id"]: one["title"] for one in found["articles"]}
    choices |= {one["id"]: one["article"]["title"] for one in stored["slots"] if one["article"] is not None}
    return page.render(
        "front_page.html",
        error.status if error else 422 if problem else 200,
        stored=stored,
        typed=typed or _arranged(page, stored),
        choices=choices,
        slots_max=SLOTS_MAX,
        until=page.field_time((page.newsroom.now() + SLOT_TIME).isoformat()),
        breaking_max=BREAKING_CHARACTERS_MAX,
        reasons=REASONS[page.language],
        may_change=page.may("publish"),
        errors={} if error is None else error.field_errors,
        problem=str(error) if error else problem,
        notice=page.gettext_of(SAVED) if page.query("done") else "",
    )


def _time(page: Page, text: str) -> str | None:
    try:
        return api_value(text, page.zone())
    except ValueError:
        return None


def _arranged(page: Page, stored: dict[str, Any]) -> dict[str, Any]:
    """Return what the API has as the fields of the form."""
    slots = [(one["id"], page.field_time(one["until"])) for one in stored["slots"]]
    bar = stored["breaking"]
    breaking = {
        "text": bar["text"] if bar else "",
        "article": bar["article"]["id"] if bar and bar["article"] else "",
        "url": bar["url"] if bar else "",
        "until": page.field_time(bar["until"]) if bar else "",
    }
    return {"slots": slots, "breaking": breaking}


def _typed(page: Page) -> dict[str, Any]:
    """Return the form that was sent: without empty slots, and with one moved, if its button was pressed."""
    named = zip(page.form.getlist("article"), page.form.getlist("until"), strict=False)
    slots = [(str(article).strip(), str(until)) for article, until in named if str(article).strip()]
    direction, _, number = page.text("move").partition(":")
    at = whole_number(number)
    if at is not None and at < len(slots):
        slot = slots.pop(at)
        slots.insert(max(at - 1, 0) if direction == "up" else at + 1, slot)
    breaking = {name: page.text(f"breaking_{name}") for name in ("text", "article", "url", "until")}
    return {"slots": slots, "breaking": breaking}


async def arrange(page: Page) -> Response:
    """Arrange the front page, or move a slot of the form without saving it."""
    typed = _typed(page)
    if page.text("move"):
        return await _front_page(page, typed=typed)
    bar = typed["breaking"]
    sent: dict[str, Any] = {
        "slots": [{"article": article, "until": _time(page, until)} for article, until in typed["slots"]]
    }
    if bar["text"]:
        target = {"article": bar["article"]} if bar["article"] else {"url": bar["url"]} if bar["url"] else {}
        sent["breaking"] = {"text": bar["text"], "until": _time(page, bar["until"]), **target}
    if any(one["until"] is None for one in [*sent["slots"], *([sent["breaking"]] if bar["text"] else [])]):
        return await _front_page(page, typed=typed, problem=page.gettext_of(NO_TIME))
    version = page.text("version")
    try:
        await page.api.send("PUT", "/front-page", sent, csrf=page.sent_csrf, version=version, site=page.site_slug)
    except ApiError as error:
        if error.status not in OWN_ERRORS or error.code == "wrong_csrf_token":
            raise
        return await _front_page(page, error, typed=typed)
    return page.redirect(PATH, done="saved")


ROUTES = [screen(PATH, show_front_page), screen(PATH, arrange, ("POST",))]
