"""Write: a new article, and the working version of one."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.responses import Response

from services.ingest.content.errors import InvalidContentError
from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.article_form import (
    FIELDS,
    Form,
    article_form,
    block_form,
    changed_fields,
    new_form,
    plain_form,
    sent_fields,
    typed_form,
)
from services.ingest.newsroom.article_state import STATES, STEP_TITLES, is_live, other_steps, primary_step
from services.ingest.newsroom.comparison import related_articles
from services.ingest.newsroom.pages import Page, screen
from services.ingest.newsroom.previews import preview
from services.ingest.newsroom.scripted import is_scripted, saved_version, shown_data, typed_body
from shared.translations import pgettext, translate

PUBLISHING_STEPS = {
    "draft": ("submit", "approve", "publish"),
    "in_review": ("approve", "publish"),
}
"""The steps that publish an article, by its state; from any other: `publish`."""
OUTCOMES = {"submit": "in_review", "approve": "approved", "publish": "published"}
"""The state of an article after an action."""
TITLES_MAX = 20
"""Titles of cards that a comparison names: each is a request."""
_AUTOSAVE = {
    "autosave-key": re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "autosave-tab": re.compile(r"[\w-]{1,64}", re.ASCII),
}
"""What a script sends of its unsaved text, which the API removes with the save."""
DONE = translate(
    {
        "saved": pgettext("done", "Saved."),
        "unchanged": pgettext("done", "Nothing has changed."),
        "submit": pgettext("done", "Saved and sent for approval."),
        "approve": pgettext("done", "Approved."),
        "refuse": pgettext("done", "Returned to its author."),
        "schedule": pgettext("done", "Scheduled."),
        "unschedule": pgettext("done", "The schedule is cancelled."),
        "unpublish": pgettext("done", "Taken down: its address is not found any more."),
        "archive": pgettext("done", "Archived: its address is not found any more."),
        "kill": pgettext("done", "Withdrawn for good: its address says that it was withdrawn."),
        "undo": pgettext("done", "It is back."),
        "restored": pgettext("done", "The former version is back, as a draft."),
    }
)

SENT_BEFORE = pgettext(
    "article",
    "This form was saved as an article before. Save again to make another one, or open the first one from the desk.",
)


def path_of(article: str, page: str = "") -> str:
    """Return the address of an article's page."""
    return f"bai-viet/{article}" + (f"/{page}" if page else "")


def article_id(page: Page) -> str:
    """Return the ID of the article that the page is about."""
    return str(page.request.path_params["id"])


async def read_article(page: Page, **query: Any) -> dict[str, Any]:
    """Return the article of the page, and make its site that of the page."""
    article: dict[str, Any] = await page.api.get(f"/articles/{article_id(page)}", **query)
    page.site = next((one for one in page.sites if one["slug"] == article["site"]), page.site)
    return article


async def related_titles(page: Page, *versions: Mapping[str, Any]) -> dict[str, str]:
    """Return the titles by ID of the articles that versions show as cards: the first ones that the caller may read."""

    async def title(article: str) -> str | None:
        try:
            return str((await page.api.get(f"/articles/{article}"))["title"])
        except ApiError:  # of a section that the caller does not see, or discarded since
            return None

    ids = related_articles(*versions)[:TITLES_MAX]
    found = await asyncio.gather(*map(title, ids))
    return {article: text for article, text in zip(ids, found, strict=True) if text is not None}


def writable_sections(page: Page, article: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the sections that the caller may write in, and the one that the article has."""
    found = list((page.site or {}).get("sections") or ())
    return [one for one in found if "write" in one["scopes"] or (article and one["slug"] == article["section"])]


def _is_own_approver(page: Page) -> bool:
    site = page.configured()
    return site is None or not site.separate_approver or page.may("admin")


async def form_of(page: Page, article: dict[str, Any]) -> Form:
    """Return the form of an article, in the format of the one that was sent."""
    form: Form = await page.newsroom.convert(block_form if is_scripted(page) else article_form, article, page.zone())
    return form


async def changes_of(page: Page, form: Form, before: Form) -> tuple[list[str], dict[str, Any]]:
    """Return the names of the fields that have changed, and the fields as the API takes them.

    Raises:
        InvalidContentError: a field cannot be read.
    """
    names = changed_fields(form, before)
    return names, await page.newsroom.convert(sent_fields, form, names, page.zone())


def typed_fields(page: Page) -> Form:
    """Return the form that somebody has sent; its body as Markdown, or as blocks if a script has sent it.

    Raises:
        InvalidContentError: the blocks of the script are not valid.
    """
    form = page.form
    typed = typed_form(page.text, page.texts, lambda name: name in form)
    if "body" in typed:
        typed["body"] = typed_body(page)
    return typed


async def show_new(page: Page) -> Response:
    """Show an empty form."""
    sections = writable_sections(page, None)
    form = new_form(sections[0]["slug"] if len(sections) == 1 else page.query("section"))
    author = str((page.me or {}).get("name") or "")
    return await _write_page(page, None, {**form, "authors": author})


async def create(page: Page) -> Response:
    """Create a draft; the same form sent twice makes one."""
    before = new_form()
    form = {**before, **typed_form(page.text, page.texts, lambda name: name in page.form)}
    try:
        form |= typed_fields(page)
        _, fields = await changes_of(page, form, before)
        sent = {"site": page.site_slug, "title": form["title"], "section": form["section"], **fields}
        key, more = page.text("key")[:64], _autosave_header(page, "autosave-key", "key")
        article = await page.api.send("POST", "/articles", sent, csrf=page.sent_csrf, key=key, more=more)
    except InvalidContentError as error:
        return await _write_page(page, None, form, errors=page.said_of(error))
    except ApiError as error:
        if error.status not in (403, 409, 413, 422) or error.code == "wrong_csrf_token":
            raise
        if error.code == "idempotency_key_reused":  # the way back led to the form, which was changed
            error = ApiError(error.status, {"detail": page.gettext_of(SENT_BEFORE)})
            return await _write_page(page, None, form, error=error, key=str(uuid4()))
        return await _write_page(page, None, form, error=error)
    return await _step_after_save(page, article, page.text("action"), "saved")


def _autosave_header(page: Page, name: str, field: str) -> list[tuple[str, str]]:
    value = page.text(field)
    return [(name, value)] if is_scripted(page) and _AUTOSAVE[name].fullmatch(value) else []


async def show_article(page: Page) -> Response:
    """Show the working version."""
    article = await read_article(page)
    return await _write_page(page, article, await form_of(page, article))


async def save(page: Page) -> Response:
    """Save what has changed, then take the step whose button was pressed."""
    article = await read_article(page)
    base = await _base_version(page, article)
    before = await form_of(page, base)
    form, action = before, page.text("action")
    try:
        form = {**before, **typed_fields(page)}
        names, fields = await changes_of(page, form, before)
        if action == "live":
            return await correct_live(page, article, fields, base["version"])
        is_again = article is not base and await _is_stored(page, form, names, article)
        if is_again:  # or only steps were taken since
            base = article
        if is_again or not names:
            done = "saved" if names else "unchanged"
            return await _without_changes(page, article, base["version"], done, is_again=is_again)
        note = page.text("note")
        sent = {**fields, **({"note": note} if note else {})}
        article = await page.api.send(
            "PATCH",
            f"/articles/{article_id(page)}",
            sent,
            csrf=page.sent_csrf,
            version=base["version"],
            more=_autosave_header(page, "autosave-tab", "tab"),
        )
    except InvalidContentError as error:
        return await _write_page(page, article, form, errors=page.said_of(error), version=base["version"])
    except ApiError as error:
        if error.status == 412:
            return await _conflict(page, form, names, error)
        if error.status not in (403, 409, 413, 422) or error.code == "wrong_csrf_token":
            raise
        return await _write_page(page, article, form, error=error, version=base["version"])
    return await _step_after_save(page, article, action, "saved")


async def _is_stored(page: Page, form: Form, names: list[str], article: dict[str, Any]) -> bool:
    """Return whether an article is what a form says; what a publication sets counts only if the form changes it."""
    compared = [name for name in FIELDS if name != "published_at" or name in names]

    def is_same() -> bool:
        sent = sent_fields(form, compared, page.zone())
        return not changed_fields(article_form({**article, **sent}, page.zone()), article_form(article, page.zone()))

    same: bool = await page.newsroom.convert(is_same)
    return same


async def _without_changes(page: Page, article: dict[str, Any], seen: int, done: str, *, is_again: bool) -> Response:
    """Take the step of a form that changes nothing: with the version that it showed, not with a newer one."""
    action = page.text("action")
    if is_scripted(page) and article["version"] != seen and action not in OUTCOMES:
        raise ApiError(412, {})  # the script takes the newer text in
    return await _step_after_save(page, {**article, "version": seen}, action, done, is_again=is_again)


async def _base_version(page: Page, article: dict[str, Any]) -> dict[str, Any]:
    """Return the version that the form was made from; without one, the working version."""
    named = page.number("version")
    if named is None or named == article["version"]:
        return article
    found: dict[str, Any] = await page.api.get(f"/articles/{article_id(page)}/revisions/{named}")
    return found


async def _conflict(page: Page, form: Form, names: list[str], error: ApiError) -> Response:
    """Show both texts: the form keeps what this person has changed, and has the others' changes elsewhere."""
    article = await read_article(page)
    form, both = await both_texts(page, form, names, article)
    return await _write_page(page, article, form, error=error, theirs=both)


async def both_texts(page: Page, form: Form, names: list[str], stored: dict[str, Any]) -> tuple[Form, Form]:
    """Return the form of what is stored, with what this person has changed, and the others' texts of those fields."""
    theirs = await page.newsroom.convert(article_form, stored, page.zone())
    form = await page.newsroom.convert(plain_form, form)
    if "body" not in names:
        page.blocks = None  # the page's script begins with what is stored
    parts = [part for part in form if any(part == name or part.startswith(f"{name}_") for name in names)]
    mine = {part: form[part] for part in parts}
    return {**theirs, **mine}, {part: theirs[part] for part in parts if theirs.get(part) != mine[part]}


async def _step_after_save(
    page: Page, article: dict[str, Any], action: str, done: str, *, is_again: bool = False
) -> Response:
    """Take a step with the version that was just saved, and lead to the page that shows its result.

    Args:
        page: Its form has the action.
        article: The version.
        action: The step; any other action leads to the article.
        done: What has become of the text, a key of DONE.
        is_again: The form was sent before: the step may be taken already.
    """
    if action == "preview":
        return await preview(page, "articles", article["id"], version=article["version"])
    if action == "review":
        return page.redirect(path_of(article["id"], "duyet"))
    if action not in OUTCOMES:
        return page.redirect(path_of(article["id"]), version=saved_version(page, article), done=done)
    is_new = "id" not in page.request.path_params
    try:
        if not (is_again and article["state"] == OUTCOMES[action]):
            article = await _take_steps(page, article, action)
    except ApiError as error:
        if error.status not in (403, 409, 412, 422) or error.code == "wrong_csrf_token":
            raise
        page.request.path_params["id"] = article["id"]
        article = await read_article(page)
        if not (is_new and error.status == 412 and article["state"] == OUTCOMES[action]):
            notice = DONE[page.language]["saved"] if done == "saved" else ""
            return await _write_page(page, article, await form_of(page, article), error=error, notice=notice)
        # else the form of a new article was sent twice, and the first time has done it
    if action == "publish":
        return _to_publication(page, article["id"], article["version"])
    return page.redirect(path_of(article["id"]), done=action)


async def _take_steps(page: Page, article: dict[str, Any], action: str) -> dict[str, Any]:
    steps = PUBLISHING_STEPS.get(article["state"], ("publish",)) if action == "publish" else (action,)
    for step in steps:
        sent = {"copy": "working", "publish_at": None} if step == "publish" and article.get("publish_at") else {}
        article = await page.api.send(
            "POST", f"/articles/{article['id']}/{step}", sent, csrf=page.sent_csrf, version=article["version"]
        )
    return article


async def correct_live(page: Page, article: dict[str, Any], fields: dict[str, Any], version: int) -> Response:
    """Change the live page at once."""
    if not fields:
        return page.redirect(path_of(article["id"]), done="unchanged")
    sent = {**fields, "carry_over": "where_possible", "note": page.text("note")}
    changed = await page.api.send(
        "PATCH", f"/articles/{article['id']}/live", sent, csrf=page.sent_csrf, version=version
    )
    return _to_publication(page, article["id"], changed["version"])


def _to_publication(page: Page, article: str, version: int) -> Response:
    """Lead to the page that follows a version to its public address; with a script that is the write page."""
    if is_scripted(page):
        return page.redirect(path_of(article), publication=version)
    return page.redirect(path_of(article, "len-trang"), version=version)


async def _write_page(
    page: Page,
    article: dict[str, Any] | None,
    form: Form,
    *,
    error: ApiError | None = None,
    errors: dict[str, str] | None = None,
    theirs: Form | None = None,
    notice: str = "",
    key: str = "",
    version: int | None = None,
) -> Response:
    """Return the page of an article; `version`: the one that the form was made from, if it is not the newest."""
    section = form["section"] or None
    may_publish = page.may("publish", section)
    may_write = article is None or page.may("write", article["section"])
    primary = primary_step(
        article, may_write=may_write, may_publish=may_publish, is_own_approver=_is_own_approver(page)
    )
    others = (
        []
        if article is None
        else other_steps(
            article, primary, may_write=may_write, may_publish=may_publish, may_admin=page.may("admin", section)
        )
    )
    return page.render(
        "article.html",
        error.status if error else 422 if errors else 200,
        article=article,
        version=version or (article["version"] if article else ""),
        data=shown_data(page, article, version),
        form=await page.newsroom.convert(plain_form, form),
        key=key or page.text("key") or str(uuid4()),
        sections=writable_sections(page, article),
        primary=primary,
        others=others,
        may_write=may_write,
        step_titles=STEP_TITLES[page.language],
        states=STATES[page.language],
        is_live=article is not None and is_live(article),
        errors=errors or (error.field_errors if error else {}),
        problem=str(error) if error else None,
        conflict=error.problem if error and error.status == 412 else None,
        theirs=theirs or {},
        notice=notice or DONE[page.language].get(page.query("done"), ""),
    )


ROUTES = [
    screen("bai-viet/moi", show_new),
    screen("bai-viet/moi", create, ("POST",)),
    screen("bai-viet/{id}", show_article),
    screen("bai-viet/{id}", save, ("POST",)),
]
