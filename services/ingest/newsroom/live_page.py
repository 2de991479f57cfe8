"""Corrections of a live page, and its settings: public at once, beside a draft that stays as it is."""

from typing import Any

from starlette.responses import Response

from services.ingest.content.errors import InvalidContentError
from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.article import (
    article_id,
    both_texts,
    changes_of,
    correct_live,
    form_of,
    read_article,
    typed_fields,
    writable_sections,
)
from services.ingest.newsroom.article_form import Form, plain_form
from services.ingest.newsroom.pages import Page, screen
from services.ingest.newsroom.scripted import shown_data


async def show_live(page: Page) -> Response:
    """Show the live version in a form that changes it at once, beside a draft that stays as it is."""
    article = await read_article(page)
    if not page.may("publish", article["section"]):
        return page.render("message.html", 403, reason="forbidden", detail="")
    live = await page.api.get(f"/articles/{article_id(page)}", copy="live")
    return await _live_page(page, article, live, await form_of(page, live))


async def save_live(page: Page) -> Response:
    """Change the live version at once."""
    article = await read_article(page)
    live = await page.api.get(f"/articles/{article_id(page)}", copy="live")
    before = await form_of(page, await _shown_version(page, live))
    form, names, version = before, list[str](), page.number("version") or article["version"]
    try:
        form = {**before, **typed_fields(page)}
        names, fields = await changes_of(page, form, before)
        if page.text("correction"):
            fields["correction"] = {"text": page.text("correction")}
        return await correct_live(page, article, fields, version)
    except InvalidContentError as error:
        return await _live_page(page, article, live, form, errors=page.said_of(error), version=version)
    except ApiError as error:
        if error.status not in (403, 409, 412, 413, 422) or error.code == "wrong_csrf_token":
            raise
        if error.status != 412:
            return await _live_page(page, article, live, form, error=error, version=version)
        form, theirs = await both_texts(page, form, names, live)
        return await _live_page(page, article, live, form, error=error, theirs=theirs)


async def _shown_version(page: Page, live: dict[str, Any]) -> dict[str, Any]:
    """Return the live version that the form was made from."""
    named = page.number("live_version")
    if named is None or named == live["version"]:
        return live
    found: dict[str, Any] = await page.api.get(f"/articles/{article_id(page)}/revisions/{named}")
    return found


async def _live_page(
    page: Page,
    article: dict[str, Any],
    live: dict[str, Any],
    form: Form,
    *,
    error: ApiError | None = None,
    errors: dict[str, str] | None = None,
    theirs: Form | None = None,
    version: int | None = None,
) -> Response:
    """Return the form; `version`: that of the article it was made from, if it is not the newest."""
    is_older = version not in (None, article["version"])
    return page.render(
        "live.html",
        error.status if error else 422 if errors else 200,
        article=article,
        version=version or article["version"],
        live_version=page.text("live_version") if is_older else live["version"],
        theirs=theirs or {},
        data=shown_data(page, live),
        form=await page.newsroom.convert(plain_form, form),
        sections=writable_sections(page, article),
        errors=errors or (error.field_errors if error else {}),
        problem=str(error) if error else None,
    )


ROUTES = [
    screen("bai-viet/{id}/dang-dang", show_live),
    screen("bai-viet/{id}/dang-dang", save_live, ("POST",)),
]
