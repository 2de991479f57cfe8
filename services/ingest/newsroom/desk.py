"""The desk: what waits for whom, what is scheduled, what is live, and what went wrong."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from starlette.responses import Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.article_state import STATES
from services.ingest.newsroom.pages import Page, screen, whole_number
from services.ingest.newsroom.times import WEEKDAYS, parse_time
from shared.translations import LANGUAGES, Message, ngettext, pgettext, translate

ROWS = 50
CALENDAR_ROWS_MAX = 100
YEARS = range(1900, 2201)
"""Of times, as the API takes them."""
UNFINISHED = ["draft", "in_review", "approved"]


@dataclass(frozen=True)
class Tab:
    """A tab of the desk: which articles it has, which of them it counts, and in which order it shows them."""

    name: str
    title: Message
    filters: dict[str, Any]
    order: dict[str, Any]
    counted: dict[str, Any] = field(default_factory=dict)
    has_count: bool = True


TABS = (
    Tab("mine", pgettext("desk", "Mine"), {"mine": True}, {"sort": "modified"}, {"state": UNFINISHED}),
    Tab("returned", pgettext("desk", "Returned"), {"state": ["draft"], "having": ["refusal"]}, {"sort": "modified"}),
    Tab("waiting", pgettext("desk", "Waiting"), {"state": ["in_review"]}, {"sort": "modified", "order": "asc"}),
    Tab("approved", pgettext("desk", "Approved"), {"state": ["approved"]}, {"sort": "modified", "order": "asc"}),
    Tab("scheduled", pgettext("desk", "Scheduled"), {"state": ["scheduled"]}, {"sort": "due"}),
    Tab("live", pgettext("desk", "Live"), {"having": ["live"]}, {"sort": "published"}),
    Tab("problems", pgettext("desk", "Problems"), {"having": ["problem"]}, {"sort": "modified"}),
    Tab("all", pgettext("desk", "All"), {}, {"sort": "modified"}, has_count=False),
)
BY_NAME = {tab.name: tab for tab in TABS}
TITLES = translate({tab.name: tab.title for tab in TABS})
CHANGES = translate(
    {
        "create": pgettext("change", "created"),
        "edit": pgettext("change", "edited"),
        "import": pgettext("change", "imported"),
        "restore": pgettext("change", "restored a version"),
        "submit": pgettext("change", "sent for approval"),
        "approve": pgettext("change", "approved"),
        "refuse": pgettext("change", "returned"),
        "schedule": pgettext("change", "scheduled"),
        "unschedule": pgettext("change", "cancelled the schedule"),
        "publish": pgettext("change", "published"),
        "unpublish": pgettext("change", "took down"),
        "archive": pgettext("change", "archived"),
        "kill": pgettext("change", "withdrew for good"),
        "discard": pgettext("change", "discarded"),
        "undo-kill": pgettext("change", "undid the withdrawal"),
        "undo-discard": pgettext("change", "brought back"),
        "fix": pgettext("change", "corrected the live text"),
        "correct": pgettext("change", "added a correction"),
        "move": pgettext("change", "moved to another section"),
        "rename": pgettext("change", "changed the address"),
        "expire": pgettext("change", "set its end"),
        "describe": pgettext("change", "changed the description for search engines"),
        "retag": pgettext("change", "changed the tags"),
        "place": pgettext("change", "placed"),
        "carry-over": pgettext("change", "took over changes of the live version"),
        "crop": pgettext("change", "set the focus of a picture"),
    }
)
"""What the actions of revisions are called."""
BULK_ACTIONS = ("tag", "untag", "section", "unpublish")
BULK_DONE = ngettext("{count} article was changed.", "{count} articles were changed.")


async def show_desk(page: Page) -> Response:
    """Show the articles of a tab, or those that a search finds."""
    return await desk_page(page)


async def desk_page(page: Page, status: int = 200, **values: Any) -> Response:
    """Return the desk, with a notice or a problem."""
    search = page.query("q")
    tab = BY_NAME.get(page.query("tab") or ("all" if search else "mine"), TABS[0])
    shared = {"site": page.site_slug or None, "q": search or None}
    week = _week(page) if tab.name == "scheduled" and not search else None
    asked = {**shared, **_filters(page, tab), **tab.order}
    calls: list[Coroutine[Any, Any, Any]] = [
        page.api.get("/articles", **asked, fields="short", limit=ROWS, cursor=page.query("cursor") or None),
        *(_count(page, one) for one in TABS if one.has_count),
        *([_calendar(page, week)] if week else []),
    ]
    found, *others = await asyncio.gather(*calls)
    counts = dict(zip([one.name for one in TABS if one.has_count], others, strict=False))
    titles = TITLES[page.language]
    sections = {one["slug"]: one["name"] for one in (page.site or {}).get("sections") or ()}
    given = {
        "tabs": [(one.name, titles[one.name], counts.get(one.name)) for one in TABS],
        "tab": tab.name,
        "title": titles[tab.name],
        "search": search,
        "articles": found["articles"],
        "following": found["next"],
        "sections": sections,
        "states": STATES[page.language],
        "changes": CHANGES[page.language],
        "calendar": others[-1] if week else None,
        "week": week,
        "may_change": page.may("write", "*"),
        "may_publish": page.may("publish", "*"),
    }
    return page.render("desk.html", status, **{**given, **values})


def _filters(page: Page, tab: Tab) -> dict[str, Any]:
    """Return the filters of a tab: who may only write sees what was returned to the own desk."""
    is_own = tab.name == "returned" and not page.may("publish", "*")
    return {**tab.filters, **({"mine": True} if is_own else {})}


async def _count(page: Page, tab: Tab) -> int:
    asked = {**_filters(page, tab), **tab.counted}
    counted = await page.api.get("/articles/counts", site=page.site_slug or None, **asked)
    return int(counted["total"])


@dataclass(frozen=True)
class Week:
    """A week of the calendar: its first moment, in the site's zone."""

    begin: datetime

    @property
    def end(self) -> datetime:
        """The first moment of the next one."""
        return self.begin + timedelta(days=7)

    @property
    def previous(self) -> str:
        """The date of the week before, as the query has it."""
        return f"{self.begin - timedelta(days=7):%Y-%m-%d}"

    @property
    def following(self) -> str:
        """The date of the week after."""
        return f"{self.end:%Y-%m-%d}"


def _week(page: Page) -> Week:
    zone = page.zone()
    today = page.newsroom.now().astimezone(zone).date()
    try:
        day = datetime.fromisoformat(page.query("week")).date() if page.query("week") else today
    except ValueError:
        day = today
    if day.year not in YEARS:
        day = today
    return Week(datetime.combine(day - timedelta(days=day.weekday()), time(), zone))


async def _calendar(page: Page, week: Week) -> list[dict[str, Any]]:
    """Return the days of a week, each with what is scheduled on it."""
    found = await page.api.get(
        "/articles",
        site=page.site_slug or None,
        state=["scheduled"],
        due_from=week.begin.isoformat(),
        due_to=week.end.isoformat(),
        sort="due",
        fields="short",
        limit=CALENDAR_ROWS_MAX,
    )
    zone, today = page.zone(), page.newsroom.now().astimezone(page.zone()).date()
    days: list[dict[str, Any]] = []
    for number in range(7):
        day = (week.begin + timedelta(days=number)).date()
        name = f"{WEEKDAYS[page.language]['days'][number]} {day.day}/{day.month}"
        days.append({"name": name, "date": day, "is_today": day == today, "articles": []})
    for article in found["articles"]:
        at = parse_time(article["due_at"])
        if at is not None:
            local = at.astimezone(zone)
            number = (local.date() - week.begin.date()).days
            if 0 <= number < 7:
                days[number]["articles"].append({**article, "clock": f"{local:%H:%M}"})
    return days


async def change_many(page: Page) -> Response:
    """Change the chosen articles; a withdrawal is asked for first."""
    chosen = [one.partition(":") for one in page.texts("item")]
    numbered = [(article, whole_number(version)) for article, _, version in chosen]
    items = [{"id": article, "version": version} for article, version in numbered if version is not None]
    action = page.text("bulk")
    if not items or action not in BULK_ACTIONS:
        return await desk_page(page, 422, problem=page.gettext_of(_CHOOSE))
    tags = [tag.strip() for tag in page.text("tags").split(",") if tag.strip()]
    if action == "unpublish" and not page.text("confirmed"):
        return page.render("bulk.html", items=page.texts("item"), count=len(items))
    sent: dict[str, Any] = {"action": action, "items": items}
    if action in ("tag", "untag"):
        sent["tags"] = tags
    if action == "section":
        sent["section"] = page.text("section")
    try:
        changed = await page.api.send("POST", "/articles/bulk", sent, csrf=page.sent_csrf)
    except ApiError as error:
        if error.status != 422:
            raise
        return await desk_page(page, 422, problem=str(error))
    return await desk_page(page, **_bulk_result(page, changed["results"]))


_CHOOSE = pgettext("desk", "Choose articles, and what to do with them.")


def _bulk_result(page: Page, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    failed = [one for one in results if one["status"] >= 400]
    count = len(results) - len(failed)
    notice = LANGUAGES[page.language].plural(BULK_DONE, count).format(count=count) if count else ""
    problems = dict.fromkeys(str(one.get("error") or one["status"]) for one in failed)
    return {"notice": notice, "problem": " · ".join(problems) or None}


ROUTES = [screen("", show_desk), screen("", change_many, ("POST",))]
