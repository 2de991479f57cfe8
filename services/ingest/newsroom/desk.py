"""The desk: what waits for whom, what is scheduled, what is live, and what went wrong."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from services.ingest.newsroom.pages import Page, screen
from shared.translations import Message, pgettext, translate

ROWS = 50


@dataclass(frozen=True)
class Tab:
    """A tab of the desk: which articles it has, and in which order."""

    name: str
    title: Message
    query: dict[str, Any]


TABS = (
    Tab("mine", pgettext("desk", "Mine"), {"mine": True, "sort": "modified"}),
    Tab("waiting", pgettext("desk", "Waiting"), {"state": ["in_review"], "sort": "modified", "order": "asc"}),
    Tab("approved", pgettext("desk", "Approved"), {"state": ["approved"], "sort": "modified", "order": "asc"}),
    Tab("scheduled", pgettext("desk", "Scheduled"), {"state": ["scheduled"], "sort": "due"}),
    Tab("live", pgettext("desk", "Live"), {"state": ["published"], "sort": "published"}),
    Tab("all", pgettext("desk", "All"), {"sort": "modified"}),
)
TITLES = translate({tab.name: tab.title for tab in TABS})


async def show_desk(page: Page) -> Response:
    """Show the articles of a tab, or those that a search finds."""
    asked = page.query("tab")
    search = page.query("q")
    tab = next((one for one in TABS if one.name == (asked or ("all" if search else "mine"))), TABS[0])
    filters = {"site": page.site_slug or None, "q": search or None}
    found = await page.api.get(
        "/articles", **filters, **tab.query, fields="short", limit=ROWS, cursor=page.query("cursor") or None
    )
    titles = TITLES[page.language]
    return page.render(
        "desk.html",
        tabs=[(one.name, titles[one.name]) for one in TABS],
        tab=tab.name,
        title=titles[tab.name],
        search=search,
        articles=found["articles"],
        following=found["next"],
    )


ROUTES = [screen("", show_desk)]
