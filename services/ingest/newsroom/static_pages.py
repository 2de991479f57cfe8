"""Static pages such as "Giới thiệu": write, publish, take down, delete; former addresses redirect."""

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.responses import Response

from services.ingest.content.errors import InvalidContentError
from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.article_form import Form, plain_form
from services.ingest.newsroom.markdown import blocks_to_markdown, form_blocks, markdown_to_blocks, sent_blocks
from services.ingest.newsroom.pages import Page, screen, whole_number
from services.ingest.newsroom.previews import preview
from services.ingest.newsroom.ready_pages import BY_KEY, READY_PAGES, existing
from services.ingest.newsroom.scripted import is_scripted, saved_version, shown_data, typed_body
from services.ingest.newsroom.structure import OWN_ERRORS, PAGES_PATH, TAB_TITLES, tabs
from shared.site_structure import DESCRIPTION_CHARACTERS_MAX, page_path
from shared.translations import LANGUAGES, pgettext, translate

PATH = PAGES_PATH
NEW = "moi"
FIELDS = ("title", "slug", "description", "kind", "language", "body")
VERSION_DIGITS_MAX = 16
"""Versions of pages are those of a whole structure."""
REFUSALS = (*OWN_ERRORS, 413)
"""Statuses of the API that the form shows beside what was typed."""
KINDS = translate(
    {
        "page": pgettext("static page", "Page"),
        "organization": pgettext("static page", "Organisation"),
        "contact": pgettext("static page", "Contact"),
    }
)
STATES = translate(
    {
        "draft": pgettext("static page", "Draft"),
        "published": pgettext("static page", "Live"),
        "withdrawn": pgettext("static page", "Taken down"),
    }
)
DONE = translate(
    {
        "saved": pgettext("done", "Saved. Visitors see it once it is published."),
        "published": pgettext("done", "Published: visitors see it within seconds."),
        "withdrawn": pgettext("done", "Taken down: its address is not found any more, and no menu shows it."),
        "deleted": pgettext("done", "The page is deleted."),
    }
)


async def show_list(page: Page) -> Response:
    """List the static pages by title."""
    found = await page.api.get("/pages", site=page.site_slug)
    site = page.configured()
    return page.render(
        "static_pages.html",
        tabs=tabs(page),
        title=TAB_TITLES[page.language][PATH],
        path=PATH,
        rows=found["pages"],
        ready=[(one, existing(one, found["pages"], site)) for one in READY_PAGES],
        rules="" if site is None else site.rules,
        states=STATES[page.language],
        may_change=page.may("publish"),
        notice=DONE[page.language].get(page.query("done"), ""),
    )


async def show_new(page: Page) -> Response:
    """Show an empty form, or one that begins as a ready-made page."""
    ready = BY_KEY.get(page.query("mau"))
    empty = {**dict.fromkeys(FIELDS, ""), "kind": "page"}
    return await _form_page(page, None, empty if ready is None else ready.form(page.configured()))


async def show_one(page: Page) -> Response:
    """Show a static page in a form."""
    stored = await _read(page)
    notice = DONE[page.language].get(page.query("done"), "")
    return await _form_page(page, stored, await _form_of(page, stored), notice=notice)


async def _read(page: Page) -> dict[str, Any]:
    stored: dict[str, Any] = await page.api.get(f"/pages/{page.request.path_params['id']}")
    page.site = next((one for one in page.sites if one["slug"] == stored["site"]), page.site)
    return stored


def _form(stored: dict[str, Any]) -> Form:
    return {**{name: str(stored[name]) for name in FIELDS[:-1]}, "body": blocks_to_markdown(stored["body"])}


def _block_form(stored: dict[str, Any]) -> Form:
    return {**_form({**stored, "body": ()}), "body": sent_blocks(stored["body"])}


async def _form_of(page: Page, stored: dict[str, Any]) -> Form:
    """Return the form of a page, in the format of the one that was sent."""
    form: Form = await page.newsroom.convert(_block_form if is_scripted(page) else _form, stored)
    return form


def _data(page: Page, stored: dict[str, Any] | None, form: Form, version: int | None = None) -> dict[str, Any] | None:
    """Return what the page's script begins with; None without it: Markdown that somebody has typed stays Markdown."""
    if page.blocks is not None:
        return shown_data(page, stored, version)
    if page.request.method == "POST" and form["body"] == page.text("body"):
        return None
    return stored or {"body": markdown_to_blocks(form["body"])}


async def _form_page(
    page: Page,
    stored: dict[str, Any] | None,
    form: Form,
    *,
    error: ApiError | None = None,
    errors: dict[str, str] | None = None,
    confirm: str = "",
    notice: str = "",
    version: int | None = None,
) -> Response:
    """Return the form: after a conflict with both texts, as the other person's version is the one to change now."""
    is_conflict = error is not None and error.status == 412
    form = await page.newsroom.convert(plain_form, form)
    theirs = await page.newsroom.convert(_form, stored) if stored and is_conflict else {}
    return page.render(
        "static_page.html",
        error.status if error else 422 if errors else 200,
        stored=stored,
        form=form,
        version=version or (stored["version"] if stored else ""),
        data=_data(page, stored, form, version) if page.may("publish") else None,
        key=page.text("key") or str(uuid4()),
        path=PATH,
        list_title=TAB_TITLES[page.language][PATH],
        states=STATES[page.language],
        address=page_path(stored["slug"]) if stored else "",
        former=[page_path(slug) for slug in stored["old_slugs"]] if stored else [],
        public_path=urlsplit(stored["url"]).path if stored and stored["url"] else "",
        kinds=KINDS[page.language],
        languages=_languages(page, form["language"]),
        description_max=DESCRIPTION_CHARACTERS_MAX,
        may_change=page.may("publish"),
        confirm=confirm,
        errors=errors or (error.field_errors if error else {}),
        problem=str(error) if error else None,
        is_conflict=is_conflict,
        theirs={name: text for name, text in theirs.items() if text != form[name]},
        notice=notice,
    )


def _languages(page: Page, chosen: str) -> list[tuple[str, str]]:
    """Return the languages that a page can have, with their own names: the site's first, as an empty text."""
    site, name_of = page.configured(), LANGUAGES[page.language].name_of
    own = site.language if site else "vi"
    codes = dict.fromkeys([*LANGUAGES, *([chosen] if chosen else [])])
    return [("", name_of(own)), *((code, name_of(code)) for code in codes if code != own)]


def _typed(page: Page) -> Form:
    lines = {name: " ".join(page.text(name).split()) for name in FIELDS[:-1]}
    return {**lines, "kind": lines["kind"] or "page", "body": page.text("body")}


async def create(page: Page) -> Response:
    """Store a new page, and publish it if its button was pressed."""
    form = _typed(page)
    try:
        form["body"] = typed_body(page)
        body = await page.newsroom.convert(form_blocks, form["body"])
        sent = {**form, "slug": form["slug"] or None, "site": page.site_slug, "body": body}
        stored = await page.api.send("POST", "/pages", sent, csrf=page.sent_csrf, key=page.text("key"))
    except (InvalidContentError, ApiError) as error:
        return await _refused(page, None, form, error)
    page.request.path_params["id"] = stored["id"]
    return await _publish_if_asked(page, stored)


async def change(page: Page) -> Response:
    """Save, publish, take down or delete a page. Only fields that differ from the stored page are sent."""
    form, action = _typed(page), page.text("action")
    stored = await _read(page)
    if action == "withdraw":
        return await _withdraw(page, stored)
    if action == "delete":
        return await _delete(page, stored)
    before = await _form_of(page, stored)
    try:
        form["body"] = typed_body(page)
        sent: dict[str, Any] = {name: value for name, value in form.items() if value != before[name]}
        if "body" in sent:
            sent["body"] = await page.newsroom.convert(form_blocks, form["body"])
        if sent:
            version = page.text("version") or stored["version"]
            path = f"/pages/{stored['id']}"
            stored = await page.api.send("PATCH", path, sent, csrf=page.sent_csrf, version=version)
    except (InvalidContentError, ApiError) as error:
        return await _refused(page, stored, form, error, whole_number(page.text("version"), VERSION_DIGITS_MAX))
    return await _publish_if_asked(page, stored)


async def _refused(
    page: Page,
    stored: dict[str, Any] | None,
    form: Form,
    error: InvalidContentError | ApiError,
    version: int | None = None,
) -> Response:
    """Show the form again with what was refused, and with the version that it was made from.

    Raises:
        ApiError: it is about the request and not about the page.
    """
    if isinstance(error, InvalidContentError):
        return await _form_page(page, stored, form, errors=page.said_of(error), version=version)
    if error.status not in REFUSALS or error.code == "wrong_csrf_token":
        raise error
    return await _form_page(page, stored, form, error=error, version=None if error.status == 412 else version)


async def _publish_if_asked(page: Page, stored: dict[str, Any]) -> Response:
    """Publish or show the page in its theme, if that button was pressed."""
    path = f"{PATH}/{stored['id']}"
    if page.text("action") == "preview":
        return await preview(page, "pages", stored["id"])
    if page.text("action") != "publish":
        return page.redirect(path, version=saved_version(page, stored), done="saved")
    try:
        await page.api.send("POST", f"/pages/{stored['id']}/publish", csrf=page.sent_csrf, version=stored["version"])
    except ApiError as error:
        return await _refused(page, stored, await _form_of(page, stored), error)
    return page.redirect(path, done="published")


async def _withdraw(page: Page, stored: dict[str, Any]) -> Response:
    form = await page.newsroom.convert(_form, stored)
    if not page.text("confirmed"):
        return await _form_page(page, stored, form, confirm="withdraw")
    try:
        path = f"/pages/{stored['id']}/unpublish"
        await page.api.send("POST", path, csrf=page.sent_csrf, version=page.text("version") or stored["version"])
    except ApiError as error:
        return await _refused(page, stored, form, error)
    return page.redirect(f"{PATH}/{stored['id']}", done="withdrawn")


async def _delete(page: Page, stored: dict[str, Any]) -> Response:
    form = await page.newsroom.convert(_form, stored)
    if not page.text("confirmed"):
        return await _form_page(page, stored, form, confirm="delete")
    try:
        path, version = f"/pages/{stored['id']}", page.text("version") or stored["version"]
        await page.api.send("DELETE", path, csrf=page.sent_csrf, version=version)
    except ApiError as error:
        return await _refused(page, stored, form, error)
    return page.redirect(PATH, done="deleted")


ROUTES = [
    screen(PATH, show_list),
    screen(f"{PATH}/{NEW}", show_new),
    screen(f"{PATH}/{NEW}", create, ("POST",)),
    screen(f"{PATH}/{{id}}", show_one),
    screen(f"{PATH}/{{id}}", change, ("POST",)),
]
