"""Write: a new article, and the working version of one; the steps of the workflow, and corrections of a live page."""

from typing import Any
from uuid import uuid4

import msgspec
from starlette.responses import RedirectResponse, Response

from services.ingest.content.errors import FieldError, InvalidContentError
from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.article_form import (
    Form,
    article_form,
    changed_fields,
    new_form,
    sent_fields,
    typed_form,
)
from services.ingest.newsroom.article_state import STATES, STEP_TITLES, STEPS, is_live, other_steps, primary_step
from services.ingest.newsroom.markdown import blocks_to_markdown
from services.ingest.newsroom.pages import Page, screen
from shared.translations import pgettext, translate

PUBLISHING_STEPS = {
    "draft": ("submit", "approve", "publish"),
    "in_review": ("approve", "publish"),
}
"""The steps that publish an article, by its state; from any other: `publish`."""
PREVIEW_SECONDS = 3_600
PUBLICATION_WAIT = "6s"
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
EFFECTS = translate(
    {
        "schedule": pgettext("effect", "It is published at this time by itself, as it is now."),
        "unschedule": pgettext("effect", "It is not published at its time, and stays approved."),
        "refuse": pgettext("effect", "It becomes a draft again. Its author reads the reason on the desk."),
        "unpublish": pgettext("effect", "Its address says that there is no such page. You can publish it again."),
        "archive": pgettext(
            "effect",
            "Its address says that there is no such page. It is kept, apart from the current articles.",
        ),
        "kill": pgettext(
            "effect",
            "Its address says that it was withdrawn, and search engines remove it. "
            "Only an administrator can undo this.",
        ),
        "discard": pgettext("effect", "It disappears from the desk. Only an administrator can bring it back."),
        "undo": pgettext("effect", "It comes back, but is not live: publish it again to make it public."),
    }
)
ASKS_REASON = ("refuse", "kill")
MAY_HAVE_REASON = ("unpublish", "archive", "discard")


def path_of(article: str, page: str = "") -> str:
    """Return the address of an article's page."""
    return f"bai-viet/{article}" + (f"/{page}" if page else "")


def _id(page: Page) -> str:
    return str(page.request.path_params["id"])


async def _read(page: Page, **query: Any) -> dict[str, Any]:
    """Return the article of the page, and make its site that of the page."""
    article: dict[str, Any] = await page.api.get(f"/articles/{_id(page)}", **query)
    page.site = next((one for one in page.sites if one["slug"] == article["site"]), page.site)
    return article


def _sections(page: Page, article: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the sections that the caller may write in, and the one that the article has."""
    found = list((page.site or {}).get("sections") or ())
    return [one for one in found if "write" in one["scopes"] or (article and one["slug"] == article["section"])]


def _is_own_approver(page: Page) -> bool:
    site = page.configured()
    return site is None or not site.separate_approver or page.may("admin")


def _typed(page: Page) -> Form:
    """Return the form that somebody has sent; its body as Markdown, also if a script has sent it as blocks.

    Raises:
        InvalidContentError: the blocks of the script are not valid.
    """
    form = page.form
    typed = typed_form(page.text, page.texts, lambda name: name in form)
    if page.text("body_format") == "blocks":
        try:
            page.blocks = msgspec.json.decode(typed["body"] or "[]", type=list[dict[str, Any]])
            typed["body"] = blocks_to_markdown(page.blocks)
        except msgspec.MsgspecError as error:
            raise InvalidContentError([FieldError("body", "is not a list of blocks")]) from error
    return typed


async def show_new(page: Page) -> Response:
    """Show an empty form."""
    form = new_form(page.query("section"))
    author = str((page.me or {}).get("name") or "")
    return _write_page(page, None, {**form, "authors": author})


async def create(page: Page) -> Response:
    """Create a draft; the same form sent twice makes one."""
    before = new_form()
    form = {**before, **typed_form(page.text, page.texts, lambda name: name in page.form)}
    try:
        form |= _typed(page)
        names = changed_fields(form, before)
        fields = sent_fields(form, names, page.zone())
        sent = {"site": page.site_slug, "title": form["title"], "section": form["section"], **fields}
        article = await page.api.send("POST", "/articles", sent, csrf=page.sent_csrf, key=page.text("key")[:64])
    except InvalidContentError as error:
        return _write_page(page, None, form, errors={one.field: one.message for one in error.errors})
    except ApiError as error:
        if error.status not in (403, 409, 413, 422) or error.code == "wrong_csrf_token":
            raise
        return _write_page(page, None, form, error=error)
    return await _step_after_save(page, article, page.text("action"), "saved")


async def show_article(page: Page) -> Response:
    """Show the working version."""
    article = await _read(page)
    return _write_page(page, article, article_form(article, page.zone()))


async def save(page: Page) -> Response:
    """Save what has changed, then take the step whose button was pressed."""
    article = await _read(page)
    base = await _base_version(page, article)
    before = article_form(base, page.zone())
    form, action = before, page.text("action")
    try:
        form = {**before, **_typed(page)}
        names = changed_fields(form, before)
        fields = sent_fields(form, names, page.zone())
        if action == "live":
            return await _correct_live(page, article, fields, base["version"])
        if not names:
            return await _step_after_save(page, article, action, "unchanged")
        note = page.text("note")
        sent = {**fields, **({"note": note} if note else {})}
        article = await page.api.send(
            "PATCH", f"/articles/{_id(page)}", sent, csrf=page.sent_csrf, version=base["version"]
        )
    except InvalidContentError as error:
        return _write_page(page, article, form, errors={one.field: one.message for one in error.errors})
    except ApiError as error:
        if error.status == 412:
            return await _conflict(page, form, names, error)
        if error.status not in (403, 409, 413, 422) or error.code == "wrong_csrf_token":
            raise
        return _write_page(page, article, form, error=error)
    return await _step_after_save(page, article, action, "saved")


async def _base_version(page: Page, article: dict[str, Any]) -> dict[str, Any]:
    """Return the version that the form was made from; without one, the working version."""
    named = page.text("version")
    if not named.isdigit() or int(named) == article["version"]:
        return article
    found: dict[str, Any] = await page.api.get(f"/articles/{_id(page)}/revisions/{named}")
    return found


async def _conflict(page: Page, form: Form, names: list[str], error: ApiError) -> Response:
    """Show both texts: the form keeps what this person has changed, and has the others' changes elsewhere."""
    article = await _read(page)
    theirs = article_form(article, page.zone())
    parts = [part for part in form if any(part == name or part.startswith(f"{name}_") for name in names)]
    mine = {part: form[part] for part in parts}
    both = {part: theirs[part] for part in parts if theirs.get(part) != mine[part]}
    return _write_page(page, article, {**theirs, **mine}, error=error, theirs=both)


async def _step_after_save(page: Page, article: dict[str, Any], action: str, done: str) -> Response:
    """Take a step with the version that was just saved, and lead to the page that shows its result."""
    if action == "preview":
        sent = {"version": article["version"], "expires_in": PREVIEW_SECONDS}
        link = await page.api.send("POST", f"/articles/{article['id']}/previews", sent, csrf=page.sent_csrf)
        return RedirectResponse(link["url"], 303)
    if action == "review":
        return page.redirect(path_of(article["id"], "duyet"))
    if action not in ("submit", "publish", "approve"):
        return page.redirect(path_of(article["id"]), done=done)
    try:
        article = await _take_steps(page, article, action)
    except ApiError as error:
        if error.status not in (403, 409, 412, 422) or error.code == "wrong_csrf_token":
            raise
        page.request.path_params["id"] = article["id"]
        article = await _read(page)
        return _write_page(
            page, article, article_form(article, page.zone()), error=error, notice=DONE[page.language]["saved"]
        )
    if action == "publish":
        return page.redirect(path_of(article["id"], "len-trang"), version=article["version"])
    return page.redirect(path_of(article["id"]), done=action)


async def _take_steps(page: Page, article: dict[str, Any], action: str) -> dict[str, Any]:
    steps = PUBLISHING_STEPS.get(article["state"], ("publish",)) if action == "publish" else (action,)
    for step in steps:
        sent = {"copy": "working", "publish_at": None} if step == "publish" and article.get("publish_at") else {}
        article = await page.api.send(
            "POST", f"/articles/{article['id']}/{step}", sent, csrf=page.sent_csrf, version=article["version"]
        )
    return article


async def _correct_live(page: Page, article: dict[str, Any], fields: dict[str, Any], version: int) -> Response:
    """Change the live page at once."""
    if not fields:
        return page.redirect(path_of(article["id"]), done="unchanged")
    sent = {**fields, "carry_over": "where_possible", "note": page.text("note")}
    changed = await page.api.send(
        "PATCH", f"/articles/{article['id']}/live", sent, csrf=page.sent_csrf, version=version
    )
    return page.redirect(path_of(article["id"], "len-trang"), version=changed["version"])


async def show_live(page: Page) -> Response:
    """Show the live version in a form that changes it at once, beside a draft that stays as it is."""
    article = await _read(page)
    live = await page.api.get(f"/articles/{_id(page)}", copy="live")
    return _live_page(page, article, article_form(live, page.zone()))


async def save_live(page: Page) -> Response:
    """Change the live version at once."""
    article = await _read(page)
    live = await page.api.get(f"/articles/{_id(page)}", copy="live")
    before = article_form(live, page.zone())
    form = before
    try:
        form = {**before, **_typed(page)}
        fields = sent_fields(form, changed_fields(form, before), page.zone())
        if page.text("correction"):
            fields["correction"] = {"text": page.text("correction")}
        return await _correct_live(page, article, fields, int(page.text("version") or article["version"]))
    except InvalidContentError as error:
        return _live_page(page, article, form, errors={one.field: one.message for one in error.errors})
    except ApiError as error:
        if error.status not in (403, 409, 412, 413, 422) or error.code == "wrong_csrf_token":
            raise
        return _live_page(page, article, form, error=error)


def _live_page(
    page: Page,
    article: dict[str, Any],
    form: Form,
    *,
    error: ApiError | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    return page.render(
        "live.html",
        error.status if error else 422 if errors else 200,
        article=article,
        form=form,
        sections=_sections(page, article),
        errors=errors or (error.field_errors if error else {}),
        problem=str(error) if error else None,
    )


def _data(page: Page, article: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the article for the page's script: with the body that was sent, if the page shows it again."""
    return article if page.blocks is None else {**(article or {}), "body": page.blocks}


def _write_page(
    page: Page,
    article: dict[str, Any] | None,
    form: Form,
    *,
    error: ApiError | None = None,
    errors: dict[str, str] | None = None,
    theirs: Form | None = None,
    notice: str = "",
) -> Response:
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
        data=_data(page, article),
        form=form,
        key=page.text("key") or str(uuid4()),
        sections=_sections(page, article),
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


async def show_publication(page: Page) -> Response:
    """Wait a moment until the public address serves a version, and show it."""
    article = await _read(page)
    version = page.query("version")
    status = await page.api.get(
        f"/articles/{_id(page)}/publication", wait=PUBLICATION_WAIT, version=version if version.isdigit() else None
    )
    return page.render("publication.html", article=article, publication=status)


async def show_step(page: Page) -> Response:
    """Ask before a step: what readers will see, and why."""
    return await _step_page(page)


async def _step_page(page: Page, error: ApiError | None = None) -> Response:
    step = STEPS.get(str(page.request.path_params["step"]))
    if step is None or not step.asks:
        return page.render("message.html", 404, reason="not_found", detail="")
    article = await _read(page)
    time = page.text("publish_at") or page.field_time(article.get("scheduled_for") or article.get("publish_at"))
    return page.render(
        "step.html",
        200 if error is None else error.status,
        article=article,
        step=step,
        title=STEP_TITLES[page.language][step.name],
        effect=EFFECTS[page.language][step.name],
        asks_reason=step.name in ASKS_REASON,
        may_have_reason=step.name in MAY_HAVE_REASON,
        time=time,
        errors={} if error is None else error.field_errors,
        problem=None if error is None else str(error),
    )


async def take_step(page: Page) -> Response:
    """Take a step that was confirmed."""
    name, article = str(page.request.path_params["step"]), _id(page)
    if name not in STEPS or not STEPS[name].asks:
        return page.render("message.html", 404, reason="not_found", detail="")
    reason, version = page.text("reason"), page.text("version") or None
    try:
        if name == "discard":
            await page.api.send(
                "DELETE", f"/articles/{article}", csrf=page.sent_csrf, version=version, note=reason or None
            )
            return page.redirect("", done="discard")
        sent: dict[str, Any] = {"reason": reason} if reason else {}
        if name == "undo":
            await page.api.send("POST", f"/articles/{article}/restore", {}, csrf=page.sent_csrf)
        else:
            if name == "schedule":
                await _read(page)
                sent = sent_fields({"publish_at": page.text("publish_at")}, ["publish_at"], page.zone())
            await page.api.send("POST", f"/articles/{article}/{name}", sent, csrf=page.sent_csrf, version=version)
    except InvalidContentError as error:
        problem = {"detail": str(error), "errors": [{"field": "publish_at", "fault": error.errors[0].message}]}
        return await _step_page(page, ApiError(422, problem))
    except ApiError as error:
        if error.status not in (403, 409, 412, 422, 428) or error.code == "wrong_csrf_token":
            raise
        return await _step_page(page, error)
    return page.redirect(path_of(article), done=name)


ROUTES = [
    screen("bai-viet/moi", show_new),
    screen("bai-viet/moi", create, ("POST",)),
    screen("bai-viet/{id}", show_article),
    screen("bai-viet/{id}", save, ("POST",)),
    screen("bai-viet/{id}/dang-dang", show_live),
    screen("bai-viet/{id}/dang-dang", save_live, ("POST",)),
    screen("bai-viet/{id}/len-trang", show_publication),
    screen("bai-viet/{id}/buoc/{step}", show_step),
    screen("bai-viet/{id}/buoc/{step}", take_step, ("POST",)),
]
