"""Write: a new article, and the working version of one."""

from typing import Any

from starlette.responses import Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.pages import Page, screen

TEXT_FIELDS = ("title", "lead")


def _sections(page: Page) -> list[dict[str, Any]]:
    return [one for one in (page.site or {}).get("sections") or () if "write" in one["scopes"]]


async def show_new(page: Page) -> Response:
    """Show an empty form."""
    return _write_page(page, None, {"section": page.query("section"), "title": "", "lead": "", "body": ""})


async def create(page: Page) -> Response:
    """Create a draft."""
    sent = {name: page.text(name) for name in (*TEXT_FIELDS, "section", "body")}
    try:
        article = await page.api.send(
            "POST",
            "/articles",
            {"site": page.site_slug, "body_format": "markdown", **sent},
            csrf=page.sent_csrf,
        )
    except ApiError as error:
        if error.status == 422:
            return _write_page(page, None, sent, error)
        raise
    return page.redirect(f"bai-viet/{article['id']}", saved=article["version"])


async def show_article(page: Page) -> Response:
    """Show the working version."""
    article = await page.api.get(f"/articles/{page.request.path_params['id']}")
    return _write_page(page, article, {**{name: article[name] for name in (*TEXT_FIELDS, "section")}, "body": ""})


def _write_page(
    page: Page, article: dict[str, Any] | None, typed: dict[str, Any], error: ApiError | None = None
) -> Response:
    return page.render(
        "article.html",
        200 if error is None else error.status,
        article=article,
        typed=typed,
        sections=_sections(page),
        errors={} if error is None else error.field_errors,
        problem=None if error is None else str(error),
    )


ROUTES = [
    screen("bai-viet/moi", show_new),
    screen("bai-viet/moi", create, ("POST",)),
    screen("bai-viet/{id}", show_article),
]
