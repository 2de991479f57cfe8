"""The button that shows what somebody writes in the theme of its site."""

from typing import Any

from starlette.responses import RedirectResponse, Response

from services.ingest.newsroom.pages import Page

PREVIEW_SECONDS = 3_600


async def preview(page: Page, kind: str, stored: str, **sent: Any) -> Response:
    """Lead to a preview that ends within the hour.

    Args:
        page: The form with the button.
        kind: `articles` or `pages`.
        stored: Its ID.
        sent: What is shown of it.
    """
    given = {**sent, "expires_in": PREVIEW_SECONDS}
    link = await page.api.send("POST", f"/{kind}/{stored}/previews", given, csrf=page.sent_csrf)
    return RedirectResponse(link["url"], 303)
