"""Review: what the waiting version changes of the live one, read by the person who approves exactly that version."""

from typing import Any
from uuid import uuid4

from starlette.responses import Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.article import article_id, path_of, read_article, related_titles
from services.ingest.newsroom.article_state import STATES, is_live
from services.ingest.newsroom.comments import read_comments
from services.ingest.newsroom.comparison import compare
from services.ingest.newsroom.pages import Page, screen

ACTIONS = ("approve", "publish", "refuse")


async def show_review(page: Page) -> Response:
    """Show the working version beside the live one."""
    return await _review_page(page)


async def _review_page(page: Page, error: ApiError | None = None) -> Response:
    article = await read_article(page)
    live = None
    if is_live(article):
        live = await page.api.get(f"/articles/{article['id']}", copy="live")
    empty = {"body": [], "title": "", "state": article["state"]}
    before = {**(live or empty), "state": article["state"]}
    titles = await related_titles(page, before, article)
    comparison = await page.newsroom.convert(compare, before, article, page.language, titles)
    about = await read_comments(page, article)
    return page.render(
        "review.html",
        200 if error is None else error.status,
        article=article,
        live=live,
        comparison=comparison,
        about={**about, "key": str(uuid4())},
        states=STATES[page.language],
        may_publish=page.may("publish", article["section"]),
        errors={} if error is None else error.field_errors,
        problem=None if error is None else str(error),
        changed=error is not None and error.status == 412,
    )


async def decide(page: Page) -> Response:
    """Approve the version that was read, approve and publish it, or return it with a reason."""
    article, action = article_id(page), page.text("action")
    version: Any = page.text("version")
    if action not in ACTIONS:
        return page.redirect(path_of(article, "duyet"))
    try:
        if action == "refuse":
            sent = {"reason": page.text("reason")}
            await page.api.send("POST", f"/articles/{article}/refuse", sent, csrf=page.sent_csrf, version=version)
            return page.redirect("", tab="waiting")
        if page.text("state") == "in_review":
            approved = await page.api.send(
                "POST", f"/articles/{article}/approve", {}, csrf=page.sent_csrf, version=version
            )
            version = approved["version"]
        if action == "approve":
            return page.redirect(path_of(article), done="approve")
        published = await page.api.send(
            "POST", f"/articles/{article}/publish", {"publish_at": None}, csrf=page.sent_csrf, version=version
        )
    except ApiError as error:
        if error.status not in (403, 409, 412, 422, 428) or error.code == "wrong_csrf_token":
            raise
        return await _review_page(page, error)
    return page.redirect(path_of(article, "len-trang"), version=published["version"])


ROUTES = [screen("bai-viet/{id}/duyet", show_review), screen("bai-viet/{id}/duyet", decide, ("POST",))]
