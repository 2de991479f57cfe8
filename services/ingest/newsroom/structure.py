"""Sections, tags and authors: rename, merge, reorder; what moves, and which addresses redirect."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.pages import Page, screen
from shared.translations import Message, pgettext, translate

ROWS = 100


@dataclass(frozen=True)
class Kind:
    """What articles are ordered by: its page, its path in the API, and the fields of its form."""

    path: str
    api: str
    title: Message
    fields: tuple[str, ...]
    adds: bool = True
    has_order: bool = False
    merge_scope: str = "publish"
    needs_confirmation: str = "name"
    """The field whose change is a rename."""


KINDS = (
    Kind(
        "chuyen-muc",
        "sections",
        pgettext("structure", "Sections"),
        ("name", "slug", "description"),
        has_order=True,
        merge_scope="admin",
        needs_confirmation="slug",
    ),
    Kind("the", "tags", pgettext("structure", "Tags"), ("name",), adds=False),
    Kind("tac-gia", "authors", pgettext("structure", "Authors"), ("name", "role", "bio", "email", "email_is_public")),
)
TITLES = translate({kind.api: kind.title for kind in KINDS})
PAGES_PATH, MENUS_PATH, BANNERS_PATH = "trang", "menu", "banner"
TAB_TITLES = translate(
    {
        **{kind.path: kind.title for kind in KINDS},
        PAGES_PATH: pgettext("structure", "Static pages"),
        MENUS_PATH: pgettext("structure", "Menus"),
        BANNERS_PATH: pgettext("structure", "Banners"),
    }
)
DONE = translate(
    {
        "saved": pgettext("done", "Saved."),
        "merged": pgettext("done", "Merged: all articles have moved, and the former addresses redirect."),
        "removed": pgettext("done", "Removed."),
        "moved": pgettext("done", "The order is changed."),
    }
)
OWN_ERRORS = (403, 404, 409, 412, 422, 428)


def tabs(page: Page) -> list[tuple[str, str]]:
    """Return the pages about the structure of a site: path and title."""
    return [(path, str(title)) for path, title in TAB_TITLES[page.language].items()]


class KindPages:
    """The pages about one kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    async def show_list(self, page: Page) -> Response:
        """List all, with the numbers of articles."""
        return await self._list_page(page)

    async def _list_page(self, page: Page, error: ApiError | None = None) -> Response:
        kind, asked = self.kind, {"site": page.site_slug}
        if not kind.has_order:
            asked |= {"q": page.query("q"), "limit": str(ROWS)}
        found = await page.api.get(f"/{kind.api}", **asked, cursor=page.query("cursor") or None)
        return page.render(
            "structure.html",
            200 if error is None else error.status,
            kind=kind,
            tabs=tabs(page),
            title=TITLES[page.language][kind.api],
            rows=found[kind.api],
            following=found.get("next"),
            undeclared=found.get("undeclared") or (),
            may_change=page.may("publish"),
            may_merge=page.may(kind.merge_scope),
            errors={} if error is None else error.field_errors,
            problem=None if error is None else str(error),
            notice=DONE[page.language].get(page.query("done"), ""),
        )

    async def add(self, page: Page) -> Response:
        """Add one, or move one up or down in the order."""
        kind = self.kind
        try:
            if page.text("move"):
                await self._move(page)
                return page.redirect(kind.path, done="moved")
            sent = {**self._sent(page), "site": page.site_slug}
            given = {name: value for name, value in sent.items() if value != ""}
            await page.api.send("POST", f"/{kind.api}", given, csrf=page.sent_csrf)
        except ApiError as error:
            if error.status not in OWN_ERRORS or error.code == "wrong_csrf_token":
                raise
            return await self._list_page(page, error)
        return page.redirect(kind.path, done="saved")

    async def _move(self, page: Page) -> None:
        direction, _, slug = page.text("move").partition(":")
        found = await page.api.get(f"/{self.kind.api}", site=page.site_slug)
        slugs = [one["slug"] for one in found[self.kind.api]]
        if slug in slugs:
            number = max(0, slugs.index(slug) + (-1 if direction == "up" else 1))
            entry = found[self.kind.api][slugs.index(slug)]
            path = f"/{self.kind.api}/{slug}"
            await page.api.send(
                "PATCH",
                path,
                {"position": min(number, len(slugs) - 1)},
                csrf=page.sent_csrf,
                version=entry["version"],
                site=page.site_slug,
            )

    def _sent(self, page: Page) -> dict[str, Any]:
        sent: dict[str, Any] = {name: page.text(name) for name in self.kind.fields}
        if "email_is_public" in sent:
            sent["email_is_public"] = bool(sent["email_is_public"])
        return sent

    async def show_one(self, page: Page) -> Response:
        """Show one, in a form."""
        return await self._one_page(page)

    async def _read(self, page: Page) -> dict[str, Any]:
        slug = str(page.request.path_params["slug"])
        found: dict[str, Any] = await page.api.get(f"/{self.kind.api}/{slug}", site=page.site_slug)
        return found

    async def _one_page(self, page: Page, error: ApiError | None = None, **values: Any) -> Response:
        kind, entry = self.kind, await self._read(page)
        others = await page.api.get(f"/{kind.api}", site=page.site_slug, **({} if kind.has_order else {"limit": ROWS}))
        given: dict[str, Any] = {"confirm": "", "target": None, "typed": {}, **values}
        return page.render(
            "structure_one.html",
            200 if error is None else error.status,
            kind=kind,
            tabs=tabs(page),
            title=TITLES[page.language][kind.api],
            entry=entry,
            others=[one for one in others[kind.api] if one["slug"] != entry["slug"]],
            redirects=redirects(entry),
            may_change=page.may("publish"),
            may_merge=page.may(kind.merge_scope),
            errors={} if error is None else error.field_errors,
            problem=None if error is None else str(error),
            **given,
        )

    async def change(self, page: Page) -> Response:
        """Save, merge or remove one; what moves all its articles is asked for first."""
        kind, entry, action = self.kind, await self._read(page), page.text("action")
        try:
            if action == "merge":
                return await self._merge(page, entry)
            if action == "remove":
                await self._send(page, "DELETE", entry, None)
                return page.redirect(kind.path, done="removed")
            sent = self._sent(page)
            changed = {name: value for name, value in sent.items() if value != (entry.get(name) or "")}
            if kind.needs_confirmation in changed and entry["articles"] and not page.text("confirmed"):
                return await self._one_page(page, confirm="rename", typed=sent)
            if changed:
                await self._send(page, "PATCH", await self._with_page(page, entry), changed)
        except ApiError as error:
            if error.status not in OWN_ERRORS or error.code == "wrong_csrf_token":
                raise
            return await self._one_page(page, error, typed=self._sent(page))
        return page.redirect(kind.path, done="saved")

    async def _with_page(self, page: Page, entry: dict[str, Any]) -> dict[str, Any]:
        """Return what the API can change: an author of whom there are only bylines gets a page first."""
        if entry["version"] or self.kind.api != "authors":
            return entry
        sent = {"site": page.site_slug, "name": entry["name"]}
        made: dict[str, Any] = await page.api.send("POST", "/authors", sent, csrf=page.sent_csrf)
        return made

    async def _merge(self, page: Page, entry: dict[str, Any]) -> Response:
        kind, into = self.kind, page.text("into")
        target = await page.api.get(f"/{kind.api}/{into}", site=page.site_slug)
        if not page.text("confirmed"):
            return await self._one_page(page, confirm="merge", target=target)
        await self._send(page, "POST", entry, {"into": target["slug"]}, "/merge")
        return page.redirect(kind.path, done="merged")

    async def _send(
        self, page: Page, method: str, entry: dict[str, Any], sent: dict[str, Any] | None, more: str = ""
    ) -> None:
        await page.api.send(
            method,
            f"/{self.kind.api}/{entry['slug']}{more}",
            sent,
            csrf=page.sent_csrf,
            version=entry["version"] if page.text("version") in ("", "0") else page.text("version"),
            site=page.site_slug,
        )


def redirects(entry: dict[str, Any]) -> list[str]:
    """Return the addresses that lead elsewhere after a rename or a merge: the present one and the former ones."""
    if not entry.get("url"):
        return []
    path = urlsplit(entry["url"]).path
    own = path.rstrip("/").rpartition("/")
    return [path, *(f"{own[0]}/{slug}/" for slug in entry.get("former_slugs") or ())]


ROUTES = [
    route
    for pages in (KindPages(kind) for kind in KINDS)
    for route in (
        screen(pages.kind.path, pages.show_list),
        *([screen(pages.kind.path, pages.add, ("POST",))] if pages.kind.adds or pages.kind.has_order else []),
        screen(f"{pages.kind.path}/{{slug}}", pages.show_one),
        screen(f"{pages.kind.path}/{{slug}}", pages.change, ("POST",)),
    )
]
