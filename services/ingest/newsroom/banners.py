"""Banners: pictures of the library with a link, in places of the site's pages, each between two times."""

import asyncio
from typing import Any

from starlette.responses import Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.media import small_copy
from services.ingest.newsroom.pages import Page, screen, whole_number
from services.ingest.newsroom.structure import BANNERS_PATH, OWN_ERRORS, TAB_TITLES, tabs
from services.ingest.newsroom.times import api_value
from shared.banners import BANNERS_MAX, PLACES
from shared.translations import pgettext, translate

PATH = BANNERS_PATH
NEW = "moi"
PICTURES = 12
"""Pictures of the library that a form offers: the newest ones, or those that a search finds."""
TIMES = ("starts_at", "until")
PLACE_NAMES = translate(
    {
        "top": pgettext("banner", "Top of the front page"),
        "side": pgettext("banner", "Side column of articles and lists"),
        "foot": pgettext("banner", "Above the footer of every page"),
    }
)
REASONS = translate(
    {
        "not_yet": pgettext("banner", "not yet"),
        "expired": pgettext("banner", "has ended"),
    }
)
DONE = translate(
    {
        "saved": pgettext("done", "The banners are saved; visitors see them within seconds."),
        "removed": pgettext("done", "Removed."),
    }
)
NO_TIME = pgettext("banner", "must be a date and a time")


async def show_list(page: Page) -> Response:
    """List the banners in their order."""
    return await _list_page(page)


async def _list_page(page: Page, error: ApiError | None = None) -> Response:
    stored = await page.api.get("/banners", site=page.site_slug)
    return page.render(
        "banners.html",
        200 if error is None else error.status,
        tabs=tabs(page),
        title=TAB_TITLES[page.language][PATH],
        path=PATH,
        stored=stored,
        banners_max=BANNERS_MAX,
        places=PLACE_NAMES[page.language],
        reasons=REASONS[page.language],
        small=small_copy,
        may_change=page.may("publish"),
        problem=None if error is None else str(error),
        notice=DONE[page.language].get(page.query("done"), ""),
    )


async def change_list(page: Page) -> Response:
    """Move a banner up or down, or remove it."""
    stored = await page.api.get("/banners", site=page.site_slug)
    items = [_sent(one) for one in stored["items"]]
    action, _, number = page.text("move").partition(":")
    at = whole_number(number)
    if at is None or at >= len(items):
        return await _list_page(page)
    one = items.pop(at)
    if action != "drop":
        items.insert(max(at - 1, 0) if action == "up" else at + 1, one)
    try:
        await _save(page, items, page.text("version") or stored["version"])
    except ApiError as error:
        if error.status not in OWN_ERRORS or error.code == "wrong_csrf_token":
            raise
        return await _list_page(page, error)
    return page.redirect(PATH, done="removed" if action == "drop" else "saved")


async def _save(page: Page, items: list[dict[str, Any]], version: str | int) -> None:
    await page.api.send("PUT", "/banners", {"items": items}, csrf=page.sent_csrf, version=version, site=page.site_slug)


def _sent(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a stored banner as a request has it."""
    image = stored["image"]
    kept = {name: stored[name] for name in ("id", "place", "is_advertisement", *TIMES)}
    picture = {"media": image["media"], "alt": image["alt"]}
    return {**kept, "url": stored["url"] or None, "image": picture}


async def show_new(page: Page) -> Response:
    """Show an empty form."""
    form = dict.fromkeys(("alt", "url", "media", *TIMES), "")
    return await _form_page(page, {**form, "id": "", "place": PLACES[0], "is_advertisement": ""})


async def show_one(page: Page) -> Response:
    """Show a banner in a form."""
    stored = await page.api.get("/banners", site=page.site_slug)
    found = next((one for one in stored["items"] if one["id"] == page.request.path_params["id"]), None)
    if found is None:
        return page.redirect(PATH)
    form = {name: page.field_time(found[name]) if found[name] else "" for name in TIMES}
    form |= {"id": found["id"], "place": found["place"], "url": found["url"], "alt": found["image"]["alt"]}
    form |= {"media": found["image"]["media"] or "", "is_advertisement": "on" if found["is_advertisement"] else ""}
    return await _form_page(page, form)


async def _form_page(
    page: Page, form: dict[str, str], error: ApiError | None = None, *, errors: dict[str, str] | None = None
) -> Response:
    asked = {"q": page.text("q")} if page.text("q") else {}
    stored, library = await asyncio.gather(
        page.api.get("/banners", site=page.site_slug),
        page.api.get("/media", site=page.site_slug, limit=PICTURES, **asked),
    )
    chosen = await _chosen(page, form["media"], library["media"])
    is_conflict = error is not None and error.status == 412
    return page.render(
        "banner.html",
        error.status if error else 422 if errors else 200,
        title=TAB_TITLES[page.language][PATH],
        path=PATH,
        form=form,
        version=stored["version"] if is_conflict or not page.text("version") else page.text("version"),
        pictures=[*chosen, *(one for one in library["media"] if one not in chosen)],
        q=page.text("q"),
        places=PLACE_NAMES[page.language],
        small=small_copy,
        may_change=page.may("publish"),
        is_conflict=is_conflict,
        errors=errors or ({} if error is None else error.field_errors),
        problem=None if error is None else str(error),
    )


async def _chosen(page: Page, media: str, library: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the picture that the form names, if the site has it."""
    known = [one for one in library if one["id"] == media]
    if known or not media:
        return known
    try:
        return [await page.api.get(f"/media/{media}", site=page.site_slug)]
    except ApiError as error:
        if error.status not in OWN_ERRORS:
            raise
        return []


async def save(page: Page) -> Response:
    """Add or change a banner, or search the library without saving."""
    form = {name: " ".join(page.text(name).split()) for name in ("alt", "url", "media", "place", "is_advertisement")}
    form |= {name: page.text(name) for name in TIMES}
    form["id"] = str(page.request.path_params.get("id", ""))
    if page.text("action") == "search":
        return await _form_page(page, form)
    errors: dict[str, str] = {}
    times: dict[str, str | None] = {}
    for name in TIMES:
        try:
            times[name] = api_value(form[name], page.zone())
        except ValueError:
            errors[name] = page.gettext_of(NO_TIME)
    if errors:
        return await _form_page(page, form, errors=errors)
    stored = await page.api.get("/banners", site=page.site_slug)
    items = [_sent(one) for one in stored["items"]]
    at = next((number for number, one in enumerate(items) if one["id"] == form["id"]), len(items))
    former = items[at]["image"]["media"] if at < len(items) else None
    picture = {"media": form["media"] or former, "alt": form["alt"]}
    one: dict[str, Any] = {"place": form["place"], "url": form["url"] or None, "image": picture, **times}
    one |= {"is_advertisement": bool(form["is_advertisement"]), **({"id": form["id"]} if form["id"] else {})}
    items[at : at + 1] = [one]
    try:
        await _save(page, items, page.text("version") or stored["version"])
    except ApiError as error:
        if error.status not in OWN_ERRORS or error.code == "wrong_csrf_token":
            raise
        return await _form_page(page, form, _of_one(error, at))
    return page.redirect(PATH, done="saved")


def _of_one(error: ApiError, at: int) -> ApiError:
    """Return an error whose fields are those of the form of one banner."""
    prefix = f"items.{at}."
    for one in error.problem.get("errors") or ():
        field = str(one["field"]).removeprefix(prefix)
        one["field"] = {"image": "media", "image.media": "media", "image.alt": "alt"}.get(field, field)
    return error


ROUTES = [
    screen(PATH, show_list),
    screen(PATH, change_list, ("POST",)),
    screen(f"{PATH}/{NEW}", show_new),
    screen(f"{PATH}/{NEW}", save, ("POST",)),
    screen(f"{PATH}/{{id}}", show_one),
    screen(f"{PATH}/{{id}}", save, ("POST",)),
]
