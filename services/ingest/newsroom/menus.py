"""The menus of a site: entries that lead to sections, tags, static pages and other sites, in two levels."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from starlette.responses import Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.pages import Page, screen, whole_number
from services.ingest.newsroom.structure import MENUS_PATH, OWN_ERRORS, TAB_TITLES, tabs
from services.ingest.newsroom.times import api_value
from shared.site_structure import MENU_ITEMS_MAX, MENUS
from shared.translations import pgettext, translate

PATH = MENUS_PATH
BLANK_ROWS = 2
FIELDS = ("target", "url", "label", "level", "until")
TAGS_MAX = 100
"""Tags that can be chosen: those with most articles."""
NAMES = translate(
    {
        "main": pgettext("menu", "Menu at the top"),
        "footer": pgettext("menu", "Menu at the bottom"),
        "links": pgettext("menu", "Quick links of the front page"),
    }
)
DONE = translate(
    {
        "saved": pgettext("done", "The menu is saved; visitors see it within seconds."),
        "removed": pgettext("done", "The menu shows the sections in their order again."),
    }
)


@dataclass(frozen=True)
class Row:
    """An entry of a menu as a row of the form.

    Attributes:
        target: Kind and target, such as `section:tin-tuc`; `url:` for an address.
        url: The address, if it is one.
        label: "": the name of the target.
        level: 1, or 2 for an entry below the one before it of level 1.
        until: Its end, as a time of the API; "": none.
    """

    target: str
    url: str = ""
    label: str = ""
    level: int = 1
    until: str = ""


def rows_of(items: Sequence[dict[str, Any]], level: int = 1) -> list[Row]:
    """Return the entries of a menu, each followed by those below it."""
    rows = []
    for one in items:
        is_url = one["kind"] == "url"
        target = f"{one['kind']}:{'' if is_url else one['target']}"
        rows.append(Row(target, one["target"] if is_url else "", one["label"], level, one["until"] or ""))
        rows += rows_of(one["items"], level + 1)
    return rows


def _end_field(page: Page, until: str) -> str:
    """Return an end as its field has it; what is no time stays as it was sent, beside the error."""
    try:
        return page.field_time(until)
    except (ValueError, OverflowError):
        return until


def items_of(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as the API takes a menu."""
    items: list[dict[str, Any]] = []
    for row in rows:
        kind, _, target = row.target.partition(":")
        item: dict[str, Any] = {"kind": kind, "target": row.url if kind == "url" else target, "label": row.label}
        item |= {"items": [], "until": row.until or None}
        (items[-1]["items"] if row.level > 1 and items else items).append(item)
    return items


def paths_of(rows: Sequence[Row]) -> list[str]:
    """Return how the API names each row: `items.0`, `items.0.items.0`."""
    paths, first, second = [], -1, -1
    for row in rows:
        if row.level > 1 and first >= 0:
            second += 1
            paths.append(f"items.{first}.items.{second}")
        else:
            first, second = first + 1, -1
            paths.append(f"items.{first}")
    return paths


def moved(rows: Sequence[Row], number: int, direction: str) -> list[Row]:
    """Return rows after one has moved up or down. An entry takes those below it along.

    One of the second level changes places with its neighbour, so that it may come below another entry.
    """
    step = -1 if direction == "up" else 1
    if rows[number].level > 1:
        found, other = list(rows), number + step
        if 0 < other < len(rows):  # the first row is of the first level
            found[number], found[other] = found[other], found[number]
        return found
    groups: list[list[Row]] = []
    for row in rows:
        if row.level > 1 and groups:
            groups[-1].append(row)
        else:
            groups.append([row])
    at = sum(1 for row in rows[:number] if row.level == 1)
    if 0 <= at + step < len(groups):
        groups[at], groups[at + step] = groups[at + step], groups[at]
    return [row for group in groups for row in group]


async def show_menu(page: Page) -> Response:
    """Show a menu in a form."""
    return await _menu_page(page)


def _name(page: Page) -> str:
    asked = page.query("name")
    return asked if asked in MENUS else MENUS[0]


async def _menu_page(page: Page, error: ApiError | None = None, rows: Sequence[Row] | None = None) -> Response:
    name, site = _name(page), page.site_slug
    menu, sections, tags, pages = await asyncio.gather(
        page.api.get(f"/menus/{name}", site=site),
        page.api.get("/sections", site=site),
        page.api.get("/tags", site=site, limit=TAGS_MAX),
        page.api.get("/pages", site=site),
    )
    stored = rows_of(menu["items"])
    if rows is None:
        is_unset = menu["is_default"] and name == "main"
        rows = [Row(f"section:{one['slug']}") for one in sections["sections"]] if is_unset else stored
    paths = paths_of(rows)
    said = _errors(error, paths)
    if error is None and list(rows) == stored:
        said = {paths.index(one["path"].removesuffix(".target")): one["reason"] for one in menu["warnings"]}
    is_conflict = error is not None and error.status == 412
    return page.render(
        "menu.html",
        200 if error is None else error.status,
        tabs=tabs(page),
        title=TAB_TITLES[page.language][PATH],
        path=PATH,
        name=name,
        names=NAMES[page.language],
        version=menu["version"],
        is_default=menu["is_default"],
        rows=[*rows, *[Row("")] * min(BLANK_ROWS, MENU_ITEMS_MAX - len(rows))],
        count=len(rows),
        end=lambda row: _end_field(page, row.until),
        said=said,
        stored=stored if is_conflict else [],
        choices={
            "section": {f"section:{one['slug']}": one["name"] for one in sections["sections"]},
            "page": {f"page:{one['id']}": one["title"] for one in pages["pages"]},
            "tag": {f"tag:{one['slug']}": one["name"] for one in tags["tags"]},
        },
        may_change=page.may("publish"),
        problem=None if error is None else str(error),
        notice=DONE[page.language].get(page.query("done"), ""),
    )


def _errors(error: ApiError | None, paths: Sequence[str]) -> dict[int, str]:
    """Return what the API says about each row."""
    found: dict[int, str] = {}
    for one in (error.problem.get("errors") or ()) if error is not None else ():
        for number, path in enumerate(paths):
            if str(one["field"]).removesuffix(".target").removesuffix(".label").removesuffix(".until") == path:
                found.setdefault(number, str(one["fault"]))
    return found


def _typed(page: Page) -> list[Row]:
    """Return the rows that were sent, without empty ones; an address makes its row an entry of its own."""
    sent = [[str(one).strip() for one in page.form.getlist(name)] for name in FIELDS]
    rows = []
    for target, url, label, level, until in zip_longest(*sent, fillvalue=""):
        chosen = target or ("url:" if url else "")
        if chosen:
            words, depth = " ".join(label.split()), 2 if level == "2" else 1
            rows.append(Row(chosen, url if chosen == "url:" else "", words, depth, _end(page, until)))
    if rows:
        rows[0] = replace(rows[0], level=1)
    return rows


def _end(page: Page, text: str) -> str:
    """Return an end of the form as a time of the API; unchanged if it is not a time: the API names the fault."""
    try:
        return api_value(text, page.zone()) or ""
    except ValueError:
        return text


async def change(page: Page) -> Response:
    """Save the menu, or remove it; or move or drop a row of the form without saving it."""
    rows, name = _typed(page), _name(page)
    direction, _, number = page.text("move").partition(":")
    at = whole_number(number)
    if at is not None:
        if at < len(rows):
            rows = [*rows[:at], *rows[at + 1 :]] if direction == "drop" else moved(rows, at, direction)
        return await _menu_page(page, rows=rows)
    is_removal = page.text("action") == "remove"
    try:
        sent = None if is_removal else {"items": items_of(rows)}
        await page.api.send(
            "DELETE" if is_removal else "PUT",
            f"/menus/{name}",
            sent,
            csrf=page.sent_csrf,
            version=page.text("version"),
            site=page.site_slug,
        )
    except ApiError as error:
        if error.status not in OWN_ERRORS or error.code == "wrong_csrf_token":
            raise
        return await _menu_page(page, error, rows)
    return page.redirect(PATH, name=name, done="removed" if is_removal else "saved")


ROUTES = [screen(PATH, show_menu), screen(PATH, change, ("POST",))]
