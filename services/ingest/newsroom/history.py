"""The history of an article: who changed what, when and why; compare two versions, restore one."""

from starlette.responses import Response

from services.ingest.newsroom.article import article_id, path_of, read_article, related_titles
from services.ingest.newsroom.article_state import STATES
from services.ingest.newsroom.comparison import compare
from services.ingest.newsroom.desk import CHANGES
from services.ingest.newsroom.pages import Page, screen, whole_number

ROWS = 50


async def show_history(page: Page) -> Response:
    """List the versions, newest first."""
    article = await read_article(page)
    cursor = page.query("cursor") or None
    found = await page.api.get(f"/articles/{article_id(page)}/revisions", limit=ROWS, cursor=cursor)
    return page.render(
        "history.html",
        article=article,
        revisions=found["revisions"],
        following=found["next"],
        changes=CHANGES[page.language],
        states=STATES[page.language],
    )


async def show_comparison(page: Page) -> Response:
    """Show what differs between two versions, word by word."""
    article = await read_article(page)
    asked = [whole_number(page.query(name)) for name in ("from", "to")]
    versions = sorted(one for one in asked if one is not None)
    if len(versions) < 2:
        return page.redirect(path_of(article["id"], "lich-su"))
    before, after = [await page.api.get(f"/articles/{article_id(page)}/revisions/{one}") for one in versions]
    return page.render(
        "comparison.html",
        article=article,
        before=versions[0],
        after=versions[1],
        comparison=compare(before, after, page.language, await related_titles(page, before, after)),
    )


async def restore(page: Page) -> Response:
    """Make the content of a former version the working version, as a draft."""
    version = page.number("version")
    if version is None:
        return page.redirect(path_of(article_id(page), "lich-su"))
    sent = {"version": version, "note": page.text("note")}
    await page.api.send("POST", f"/articles/{article_id(page)}/restore", sent, csrf=page.sent_csrf)
    return page.redirect(path_of(article_id(page)), done="restored")


ROUTES = [
    screen("bai-viet/{id}/lich-su", show_history),
    screen("bai-viet/{id}/lich-su", restore, ("POST",)),
    screen("bai-viet/{id}/so-sanh", show_comparison),
]
