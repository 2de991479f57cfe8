"""Comments on an article by plain forms: on the page that reviews it, below the block that they are about."""

from typing import Any

from starlette.responses import RedirectResponse, Response

from services.ingest.newsroom.article import article_id, path_of
from services.ingest.newsroom.pages import Page, screen, whole_number


async def read_comments(page: Page, article: dict[str, Any]) -> dict[str, Any]:
    """Return the comments of an article for the page that reviews it.

    `by_block`: those whose block is in the working version, by its place; `others`: the rest. `asked`: the place of the
    block that somebody wants to comment on, None without one.
    """
    found = await page.api.get(f"/articles/{article['id']}/comments")
    by_block: dict[int, list[dict[str, Any]]] = {}
    others = []
    for one in found["comments"]:
        if one["block_now"] is None:
            others.append(one)
        else:
            by_block.setdefault(one["block_now"], []).append(one)
    return {
        "by_block": by_block,
        "others": others,
        "asked": whole_number(page.query("block")),
        "may_write": page.may("write", article["section"]),
        "version": article["version"],
    }


async def change_comments(page: Page) -> Response:
    """Add, resolve, reopen or delete a comment, and lead back to its block."""
    article, action, block = article_id(page), page.text("action"), page.number("block")
    path, number = f"/articles/{article}/comments", page.number("comment")
    if action == "add":
        sent = {"text": page.text("text"), "block": block, "version": page.number("version")}
        await page.api.send("POST", path, sent, csrf=page.sent_csrf, key=page.text("key")[:64])
    elif action == "delete" and number is not None:
        await page.api.send("DELETE", f"{path}/{number}", csrf=page.sent_csrf)
    elif action in ("resolve", "reopen") and number is not None:
        await page.api.send("PATCH", f"{path}/{number}", {"is_resolved": action == "resolve"}, csrf=page.sent_csrf)
    anchor = "comments" if block is None else f"block-{block}"
    return RedirectResponse(f"{page.link(path_of(article, 'duyet'))}#{anchor}", 303)


ROUTES = [screen("bai-viet/{id}/nhan-xet", change_comments, ("POST",))]
